"""A table or a model is added without touching what is there, and what is added is a project that validates."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.errors import UsageError
from medallion_cli.operations.scaffold.additions import Addition, apply, difference, with_entry
from medallion_cli.operations.scaffold.new_model import new_model
from medallion_cli.operations.scaffold.new_table import anew
from medallion_cli.operations.scaffold.project import empty, example, write
from medallion_cli.spec import Pipeline, load_pipeline


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    write(example(folder), folder)
    return folder


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Assets, Pipeline]:
    folder = tmp_path_factory.mktemp("untouched") / "shop"
    write(example(folder), folder)
    return Assets.find(folder), load_pipeline(Assets.find(folder))


def _add(
    folder: Path, name: str, kind: str, source: str | None = None, key: tuple[str, ...] = ()
) -> Addition:
    assets = Assets.find(folder)
    return new_model(assets, load_pipeline(assets), name, kind, source, key)


def test_every_comment_and_line_stays(shop: Path) -> None:
    before = (shop / PIPELINE).read_text().splitlines()
    apply(anew(Assets.find(shop), load_pipeline(Assets.find(shop)), "coupons", ["code VARCHAR(20)"]), shop)
    after = (shop / PIPELINE).read_text().splitlines()
    assert [line for line in after if line not in before] == ["  coupons: {}"]
    assert after.index("  coupons: {}") < next(
        n for n, line in enumerate(after) if line.startswith("# In merge order")
    )
    (table,) = [t for t in load_pipeline(Assets.find(shop)).tables if t.name == "coupons"]
    assert table.key == ("coupons_id",)
    assert [column.name for column in table.columns] == ["coupons_id", "code"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("tables:\n  a: {}\n", "tables:\n  a: {}\n  new: {}\n"),
        ("tables:\n    a: {}\n    # last\nmodels: {}\n", "tables:\n    a: {}\n    new: {}\n    # last\nmodels: {}\n"),
        ("tables: {}\nname: x\n", "name: x\n\ntables:\n  new: {}\n"),
        ("name: x\n", "name: x\n\ntables:\n  new: {}\n"),
        ("tables:\n  a:\n    key: [b]\n    x: >-\n      folded\n      text\nname: x\n",
         "tables:\n  a:\n    key: [b]\n    x: >-\n      folded\n      text\n  new: {}\nname: x\n"),
    ],
)  # fmt: skip
def test_an_entry_goes_to_the_end_of_its_section(tmp_path: Path, document: str, expected: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / PIPELINE).write_text(document)
    assert with_entry(tmp_path, "tables", "new", ["  new: {}"]) == expected


def test_each_kind_of_model_loads(shop: Path) -> None:
    apply(_add(shop, "fact_items", "upsert", "order_items"), shop)
    apply(_add(shop, "dim_address", "scd2", "addresses"), shop)
    apply(_add(shop, "agg_items", "refresh", "fact_items", ("product_id",)), shop)
    models = {model.name: model for model in load_pipeline(Assets.find(shop)).models}
    assert models["fact_items"].key == ("order_id", "line_no")
    assert models["dim_address"].surrogate == "address_sk"
    assert [column.name for column in models["agg_items"].columns][:2] == ["product_id", "entries"]


@pytest.mark.parametrize(
    ("name", "kind", "source", "key", "said"),
    [
        ("x", "upsert", None, (), "which table"),
        ("x", "refresh", "orders_typo", ("a",), "which fact"),
        ("x", "refresh", "fact_sales", (), "grouped"),
        ("x", "refresh", "fact_sales", ("nope",), "no column nope"),
        ("x", "view", None, (), "no kind"),
        ("dim_product", "scd2", "products", (), "there already"),
        ("fact_sales", "copy", None, (), "there already"),
        ("X y", "copy", None, (), "no model's name"),
        ("x", "copy", "orders", (), "the name of its table"),
    ],
)
def test_what_does_not_fit_is_refused(
    untouched: tuple[Assets, Pipeline],
    name: str,
    kind: str,
    source: str | None,
    key: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(UsageError, match=said):
        new_model(*untouched, name, kind, source, key)


def test_what_cannot_be_read_is_taken_back(shop: Path) -> None:
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    broken = _add(shop, "fact_items", "upsert", "order_items").files | {PIPELINE: "name: ["}
    with pytest.raises(UsageError):
        apply(Addition(broken), shop)
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before


def test_a_difference_names_the_lines(untouched: tuple[Assets, Pipeline]) -> None:
    added = new_model(*untouched, "fact_items", "upsert", "order_items", ())
    lines = list(difference(added, untouched[0].project))
    assert "+  fact_items:" in lines
    assert not [line for line in lines if line.startswith("-") and not line.startswith("---")]


def test_an_empty_project_takes_them_too(tmp_path: Path) -> None:
    write(empty(tmp_path / "new"), tmp_path / "new")
    apply(_add(tmp_path / "new", "dim_items", "scd2", "items"), tmp_path / "new")
    assert load_pipeline(Assets.find(tmp_path / "new")).model("dim_items").surrogate == "items_sk"
