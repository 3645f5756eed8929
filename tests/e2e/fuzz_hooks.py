"""Hooks of schemathesis: two requests of three ask about what there is (seeds.py), the third about what the fuzzer makes up. What
was answered is written down, for the test to see that not everything was refused as unknown."""

import collections
import json
import os

import schemathesis

KNOWN = json.loads(os.environ["FUZZ_KNOWN"])
ANSWERED = open(os.environ["FUZZ_ANSWERED"], "a", buffering=1)
COUNTED = collections.Counter()
# What a parameter names depends on the path.
NAMED = {
    ("/api/v1/organisations/", "key"): "organisation_key",
    ("/api/v1/organisations/", "invitation"): "member_invitation",
    ("/api/v1/accounts/", "key"): "account_key",
    ("/api/v1/management-keys/", "key"): "management_key",
    ("/api/v1/keys/", "key"): "own_key",
    ("/api/v1/call-records/", "call"): "call_record",
    ("/api/v1/verification-reviews/", "case"): "review",
    ("/api/v1/rights-requests/", "request"): "rights_request",
    ("/api/v1/sign-in/", "provider"): None,
    ("/api/v1/account/", "provider"): None,
}
# These end what they name, as every DELETE does.
ENDING = ("/leave", "/retire", "/drop", "/withdraw")


def known(method, path, parameter):
    named = next((name for (start, of), name in NAMED.items() if path.startswith(start) and of == parameter), parameter)
    # What is named last is ended.
    last = path.rpartition("{")[2].partition("}")[0]
    ends = parameter == last and (path.endswith(ENDING) or (method == "DELETE" and path.endswith("}")))
    return (KNOWN["ended"] if ends else {}).get(named) or KNOWN.get(named)


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    COUNTED[case.method, path] += 1
    if not case.path_parameters or COUNTED[case.method, path] % 3 == 0:
        return
    for parameter in list(case.path_parameters):
        value = known(case.method, path, parameter)
        if value is not None:
            case.path_parameters[parameter] = value


@schemathesis.hook
def after_call(context, case, response):
    ANSWERED.write(f"{case.method} {case.operation.path} {response.status_code}\n")
