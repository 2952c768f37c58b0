"""How one configuration takes the place of another in a process that goes on answering."""

from core.catalogue import Catalogue
from services import Services
from services.foundation import model_names


def succeed(after: Services, before: Services, catalogue: Catalogue) -> None:
    """`after` is what holds; what is known goes over to it, and `before` is there for the requests it has."""
    base, settings = after.base, after.settings
    after.instances.inherit(before.instances)
    base.configure(settings, model_names(settings, catalogue))
    base.background.become((*base.chores(), *after.chores))
    base.retired.add(before.tokens, before.in_flight)
    # Nobody looks at these circuits any more, so nothing would ever close them.
    gone = before.instances.sites.keys() - after.instances.sites.keys()
    base.telemetry.circuits(dict.fromkeys(gone, 0))
