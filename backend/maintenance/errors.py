"""Errors of the operator's own programs."""

from __future__ import annotations

from backend.errors import OperatorError


class NoDeployment(OperatorError):
    code = "no_deployment"
    remedy = "There is no deployment in this directory. Check --data-directory, or start one: assent up."


class NothingToImport(OperatorError):
    code = "nothing_to_import"
    remedy = "Name a folder that holds FHIR R4 bundles as .json files."


class ServiceUnreachable(OperatorError):
    code = "service_unreachable"
    remedy = "The service that has the data directory does not answer. Wait until it is ready, or stop it."


class ServiceRefused(OperatorError):
    """The running service said no; the detail holds its own code and words."""

    code = "service_refused"
    remedy = "Correct what the service names and call again."


class OperatorFileMissing(OperatorError):
    """A service runs, and the commands would sign in to it with the password in ``operator.json``."""

    code = "operator_file_missing"
    remedy = "Use the API as an operator, or stop the service and call again: then no password is needed."


class RootInHsm(OperatorError):
    """The root of this key store is the token itself."""

    code = "root_in_hsm"
    remedy = (
        "Change the PIN with the tool of the HSM's maker; 'assent keys rotate epoch' replaces the key in it."
    )


class NotOnANetwork(OperatorError):
    code = "not_on_a_network"
    remedy = (
        "The embedded chain replaces no block. Only a service with ASSENT_LEDGER_URL can be asked for that."
    )
