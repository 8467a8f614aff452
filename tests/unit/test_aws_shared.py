"""The faster implementations have the same results as botocore."""

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.session import Session

from s3haul.aws.clients import core_session, service_models


@pytest.mark.parametrize("service", ["s3", "sts", "sso-oidc"])
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1"])
def test_models_are_those_of_botocore(service, kind):
    fresh = service_models.__wrapped__()  # clients modify their handlers
    assert fresh.load_service_model(service, kind) == Loader().load_service_model(service, kind)


def test_an_unknown_service_is_unknown():
    with pytest.raises(UnknownServiceError):
        service_models().load_service_model("no-such-service", "service-2")


def handled(session, event, **arguments) -> int:
    return len(session.get_component("event_emitter").emit(event, **arguments))


def test_sessions_have_the_handlers_of_botocore_and_none_of_each_other():
    first, second = core_session(None, None), core_session(None, None)
    first.register("choose-service-name", lambda **_: None)
    own = handled(Session(), "choose-service-name", service_name="s3")
    assert own > 0
    assert handled(second, "choose-service-name", service_name="s3") == own
    assert handled(first, "choose-service-name", service_name="s3") == own + 1
