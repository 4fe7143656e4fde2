"""Sessions of the dashboard: somebody signed in, with the rights of a token."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.objects.environments import ApiToken, EnvironmentId, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of the dashboard; its secret is never stored."""

    id: str
    environment_id: EnvironmentId
    token_id: str | None
    """The token that was signed in with; None is a person whom an OpenID provider knows."""
    name: str
    """Of the token, or of the person."""
    role: Role
    created_at: datetime
    expires_at: datetime

    @property
    def holder(self) -> ApiToken:
        """Who acts in this session, as the API sees the holder of a token."""
        return ApiToken(
            id=self.token_id or self.id,
            environment_id=self.environment_id,
            name=self.name,
            role=self.role,
            created_at=self.created_at,
            updated_at=self.created_at,
            expires_at=self.expires_at,
        )
