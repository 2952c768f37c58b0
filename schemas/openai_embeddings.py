"""OpenAI's request for embeddings as it comes (https://platform.openai.com/docs/api-reference/embeddings/create)."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.openai_chat import ModelName, Wire

Token = Annotated[int, Field(ge=0, strict=True)]
Text = Annotated[str, Field(min_length=1)]
MAX_INPUTS = 2048


class EmbeddingBody(Wire):
    """One text, several, one list of tokens, or several."""

    model: ModelName
    input: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)]
        | Annotated[list[Token], Field(min_length=1, fail_fast=True)]
        | Annotated[list[Annotated[list[Token], Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS)]
    )
    dimensions: int | None = Field(None, ge=1)
    encoding_format: Literal["float", "base64"] | None = None

    def inputs(self) -> tuple[str | tuple[int, ...], ...]:
        """What is to become a vector each."""
        if isinstance(self.input, str):
            return (self.input,)
        if isinstance(self.input[0], int):
            return (tuple(self.input),)
        return tuple(one if isinstance(one, str) else tuple(one) for one in self.input)
