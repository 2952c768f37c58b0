"""Names in the configuration that lead nowhere."""

from pathlib import Path

from config.loader import load
from core.catalogue import Catalogue
from core.catalogue_check import dead_names
from schemas.model import ModelInfo

BOX = "providers: {box: {kind: openai-compatible, base_url: 'http://127.0.0.1:1/v1', models: [m]}}\n"


def found(text: str, tmp_path: Path) -> list[str]:
    (tmp_path / "gateway.yaml").write_text(BOX + "default_model: m\nmodel_map: {}\n" + text)
    catalogue = Catalogue([ModelInfo("m", "tests", 0, 0, {})])
    return dead_names(load({}, tmp_path), catalogue)


def test_a_price_of_a_provider_that_there_is_not_is_told(tmp_path: Path) -> None:
    prices = "[{input: 1}, {provider: box, input: 2}, {provider: groq, input: 3}, {provider: bax, input: 4}]"
    assert found(f"models: {{m: {{prices: {prices}}}}}", tmp_path) == [
        "models.m.prices[3].provider: there is no provider 'bax', and none of that kind"
    ]
