"""GLM on the open platform of Zhipu or Z.AI, as its differences from OpenAI."""

from collections.abc import Mapping
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from core.clock import Clock
from core.errors import ContextLengthExceeded, GatewayError, InvalidRequest, UpstreamServerError
from core.providers import glm_content, glm_fields
from core.providers.base import UpstreamRequest
from core.providers.draft import Draft
from core.providers.glm_auth import JwtSigner
from core.providers.openai_compatible import FINISH_REASONS, OpenAICompatible
from core.providers.openai_faults import Said
from core.providers.openai_history import is_linked, portable
from core.providers.openai_messages import Wire
from core.providers.zhipu_errors import TOKEN_EXPIRED, business_error
from schemas.chat import ChatRequest, DialectName, DocumentPart, ImagePart, Message
from schemas.codec import dumps
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest
from schemas.model import Ability, Target, ThinkingControl
from schemas.stream import FinishReason

WINDOW_EXCEEDED = "model_context_window_exceeded"


class GLM(OpenAICompatible):
    """All hosts of the open platform, Coding Plan ones too; the state it holds is the cache of signed tokens."""

    kind: ClassVar[str] = "glm"
    # GLM knows too little of OpenAI's parameters for a client's body to go on as it is.
    dialect: ClassVar[DialectName | None] = None
    issuer: ClassVar[str | None] = "glm"
    abilities: ClassVar[frozenset[Ability]] = frozenset({"streaming", "tools", "thinking", "json_object"})
    control: ClassVar[ThinkingControl] = "switch"
    reasoning_field: ClassVar[str | None] = "reasoning_content"
    finish_reasons: ClassVar[Mapping[str, FinishReason | type[GatewayError]]] = {
        **FINISH_REASONS,
        "sensitive": "content_filter",
        "network_error": UpstreamServerError,
        WINDOW_EXCEEDED: "length",
    }

    def __init__(
        self,
        name: str,
        base_url: str,
        clock: Clock,
        auth: Literal["bearer", "jwt"] = "bearer",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, base_url, clock, headers)
        self._signer = JwtSigner(clock) if auth == "jwt" else None
        # Zhipu's SDKs send images as bare base64; only the host in China may still depend on it.
        self._bare_images = urlsplit(self.base_url).hostname == "open.bigmodel.cn"

    def authorize(self, credential: Credential) -> dict[str, str]:
        token = credential.secret if self._signer is None else self._signer.token(credential)
        return {"Authorization": f"Bearer {token}"}

    def messages(self, draft: Draft) -> list[Wire]:
        messages = glm_content.with_question(portable(draft, self.takes))
        wire = [self.message(draft, message, index) for index, message in enumerate(messages)]
        if order := glm_content.instructions(draft):
            wire.append({"role": "system", "content": order})
        return wire

    def inlines(self, request: ChatRequest, target: Target, part: ImagePart | DocumentPart) -> bool:
        return False

    def takes(self, draft: Draft, part: ImagePart | DocumentPart) -> bool:
        """Whether the model reads `part`: those that see read documents as well, by their address."""
        return "vision" in draft.target.info.abilities and (isinstance(part, ImagePart) or is_linked(part))

    def content(self, draft: Draft, message: Message, index: int) -> str | list[Wire]:
        return glm_content.content(draft, message, index, bare_images=self._bare_images)

    def tools(self, draft: Draft) -> Wire:
        return glm_content.tool_fields(draft)

    def sampling(self, draft: Draft) -> Wire:
        return glm_fields.sampling_fields(draft)

    def thinking(self, draft: Draft) -> Wire:
        return glm_fields.thinking_fields(draft)

    def response_format(self, draft: Draft) -> Wire:
        return glm_content.format_fields(draft)

    def identity(self, draft: Draft) -> Wire:
        return glm_fields.identity_fields(draft)

    def extras(self, draft: Draft, body: Wire) -> Wire:
        return glm_fields.extra_fields(draft)

    def embed(
        self, request: EmbeddingRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest:
        if not all(isinstance(text, str) for text in request.inputs):
            raise InvalidRequest("GLM takes texts, not numbers of tokens", param="input")
        body: Wire = {"model": target.model, "input": request.inputs}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        headers = {"Content-Type": "application/json", **self.signed(credential)}
        return UpstreamRequest(f"{self.base_url}/embeddings", headers, dumps(body))

    def finish_reason(self, word: str, *, produced: bool) -> FinishReason:
        if word == WINDOW_EXCEEDED and not produced:
            raise ContextLengthExceeded("the prompt does not fit the model's context window")
        return super().finish_reason(word, produced=produced)

    def fault(self, said: Said, status: int | None, wait: float | None) -> GatewayError:
        if said.code == TOKEN_EXPIRED and self._signer is not None:
            self._signer.forget()
        return business_error(said, self._clock.now(), wait) or super().fault(said, status, wait)
