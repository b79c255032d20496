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
from medallion_cli.operations.validate import validate_specification
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


def test_a_copy_that_nobody_asked_for_stays_when_a_model_reads_its_table(shop: Path) -> None:
    """`up` would drop gold.addresses with its rows."""
    before = {model.name: model.kind for model in load_pipeline(Assets.find(shop)).models}
    added = _add(shop, "dim_address", "scd2", "addresses")
    apply(added, shop)
    after = {model.name: model.kind for model in load_pipeline(Assets.find(shop)).models}
    assert after == {**before, "dim_address": "scd2"}
    assert any("gold.addresses stays" in note for note in added.notes)
    assert _add(shop, "fact_address", "upsert", "addresses").notes == ()


def test_a_refresh_is_made_of_a_copy_that_nobody_asked_for(shop: Path) -> None:
    apply(_add(shop, "agg_cities", "refresh", "addresses", ("city",)), shop)
    assert load_pipeline(Assets.find(shop)).model("agg_cities").source == "addresses"


def _with_table(folder: Path, name: str, columns: str) -> None:
    ddl = folder / "sql/mysql/schema.sql"
    ddl.write_text(f"{ddl.read_text()}\nCREATE TABLE `{name}` ({columns});\n")
    apply(anew(Assets.find(folder), load_pipeline(Assets.find(folder)), name, []), folder)


def _found(folder: Path) -> list[str]:
    return [str(finding) for finding in validate_specification(Assets.find(folder))]


def test_columns_that_a_history_has_itself_are_renamed(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    write(empty(folder), folder)
    columns = "doc_id INT, Version INT, source_version INT, valid_from DATE, doc_sk INT, PRIMARY KEY (doc_id, Version)"
    _with_table(folder, "docs", columns)
    added = _add(folder, "dim_doc", "scd2", "docs")
    apply(added, folder)
    model = load_pipeline(Assets.find(folder)).model("dim_doc")
    assert model.key == ("doc_id", "source_source_Version")
    assert model.inputs[0].touches == "SELECT c.doc_id, c.Version AS source_source_Version FROM changed c"
    named = [column.name for column in model.columns]
    assert named == [
        "doc_id",
        "source_source_Version",
        "source_version",
        "source_valid_from",
        "source_doc_sk",
    ]
    assert any("valid_from is source_valid_from in dim_doc" in note for note in added.notes)
    assert _found(folder) == []


@pytest.mark.parametrize("key", ["no", "y", "on", "null"])
def test_a_key_that_yaml_takes_for_something_else(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "new"
    write(empty(folder), folder)
    _with_table(folder, "yes", f"`{key}` INT PRIMARY KEY, price DECIMAL(9,2)")
    apply(_add(folder, "fact_yes", "upsert", "yes"), folder)
    apply(_add(folder, "off", "refresh", "fact_yes", (key,)), folder)
    pipeline = load_pipeline(Assets.find(folder))
    assert (pipeline.model("fact_yes").key, pipeline.model("off").key) == ((key,), (key,))
    assert _found(folder) == []


@pytest.mark.parametrize("column", ["Op INT", "op INT", "_seq INT", "BI_x INT", "dms_commit_ts INT"])
def test_a_column_of_our_own_name_is_refused(untouched: tuple[Assets, Pipeline], column: str) -> None:
    with pytest.raises(UsageError, match="uses the name"):
        anew(*untouched, "z", [column])


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
