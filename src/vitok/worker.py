"""One worker of `vitok up`: data plane and pages together. Apart from `wire`, so that commands do not load servers."""

from vitok.govern.secrets import read_secret, signing_key
from vitok.kernel.clock import system_clock
from vitok.loop.control import Control
from vitok.loop.links import Links
from vitok.loop.openid import SECRET_VARIABLE, OpenIdClient
from vitok.serve.app import DataPlane, create_app
from vitok.serve.observe import configure_logs
from vitok.serve.oidc import Issuer
from vitok.serve.server import worker_folder, worker_settings
from vitok.web.app import create_pages
from vitok.wire import open_project


def whole_app() -> DataPlane:
    """One worker of `vitok up`: predictions, and the pages under every path that is not the data plane's."""
    configure_logs()
    state = worker_folder()
    # Predictions need no database: a worker that starts while it is away answers, and its pages say so.
    project = open_project(state.parent, database_may_be_away=True)
    settings = worker_settings()
    pages = create_pages(
        Control(project, signing_key), Links(project, signing_key), _client_of(settings.issuer)
    )
    return create_app(state, system_clock, settings, pages)


def _client_of(issuer: Issuer | None) -> OpenIdClient | None:
    """The pages as a client of the issuer, if people log in there."""
    if issuer is None or issuer.client is None:
        return None
    secret = read_secret(SECRET_VARIABLE) or None
    return OpenIdClient(issuer.url, issuer.client, secret, issuer.keys, system_clock)
