"""Word lists for the generator, drawn once from Faker and shipped as `vocabulary.json` beside this module.

Rebuild with `python -m medallion_cli.synthetic.vocabulary` (the only place that imports Faker).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

NAME = "vocabulary.json"
SEED = 20240229
NAME_LOCALES = [
    "en_US",
    "en_GB",
    "de_DE",
    "fr_FR",
    "es_ES",
    "it_IT",
    "pl_PL",
    "cs_CZ",
    "tr_TR",
    "sv_SE",
    "pt_BR",
    "ja_JP",
    "ko_KR",
    "el_GR",
    "uk_UA",
    "vi_VN",
]
PLACE_LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "sv_SE", "cs_CZ", "ja_JP")
AWKWARD = (
    "O'Brien", "d'Arc \"Jo\"", "back\\slash", "C:\\new\\table", "tab\there", "two\nlines", "a|b|c", "~",
    "\\N", "NULL",
    "🎁 gift", "Ünïcödé", "日本語テスト", "Ελληνικά", "кириллица", "'", '"', "\\", "%s {x} $1",
    "50 % off; -- not SQL", "a,b",
    "e\u0301 combining", "👩‍👩‍👧 family",
)  # fmt: skip


@cache
def words(name: str) -> tuple[str, ...]:
    """The list called `name`; KeyError when there is none."""
    return vocabulary()[name]


@cache
def vocabulary() -> dict[str, tuple[str, ...]]:
    """Every word list by name, from the file beside this module or at the root of the Lambda's zip."""
    places = (Path(__file__).parent, Path(os.environ.get("LAMBDA_TASK_ROOT", ".")))
    path = next(place / NAME for place in places if (place / NAME).is_file())
    return {name: tuple(entries) for name, entries in json.loads(path.read_text(encoding="utf-8")).items()}


def build() -> dict[str, list[str]]:
    """Draw all lists from Faker, always the same for one version of Faker."""
    from faker import Faker

    fakers = {locale: Faker(locale) for locale in dict.fromkeys((*NAME_LOCALES, *PLACE_LOCALES))}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(SEED + number)
    names, places = [fakers[locale] for locale in NAME_LOCALES], [fakers[locale] for locale in PLACE_LOCALES]
    english = fakers["en_US"]
    return {
        "first_names": _distinct([f.first_name for f in names], 600),
        "last_names": _distinct([f.last_name for f in names], 900),
        "companies": _distinct([f.company for f in places], 500),
        "cities": _distinct([f.city for f in places], 700),
        "streets": _distinct([f.street_name for f in places], 900),
        "postcodes": _distinct([f.postcode for f in places], 600),
        "phones": _distinct([english.phone_number], 800),
        "mail_domains": _distinct([english.free_email_domain], 3) + _distinct([english.domain_name], 60),
        "words": _distinct([english.word], 600),
        "sentences": _distinct([lambda: english.sentence(nb_words=9)], 400),
        "colours": _distinct([english.color_name], 60),
        "jobs": _distinct([english.job], 200),
        "awkward": list(AWKWARD),
    }


def _distinct(draws: list[Callable[[], str]], wanted: int) -> list[str]:
    found: dict[str, None] = {}
    for attempt in range(wanted * 20):
        found.setdefault(draws[attempt % len(draws)]())
        if len(found) == wanted:
            break
    return list(found)


if __name__ == "__main__":
    text = json.dumps(build(), ensure_ascii=False, indent=0, sort_keys=True)
    Path(__file__).with_name(NAME).write_text(text + "\n", encoding="utf-8")
