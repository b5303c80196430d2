"""Why a search is refused. ``field`` is the parameter."""

from __future__ import annotations

from backend.errors import InvalidInput


class SearchParameterUnknown(InvalidInput):
    """A parameter or modifier that would narrow the search is not known here: left out, it would widen it."""

    code = "search_parameter_unknown"
    remedy = "GET /fhir/metadata lists the parameters; 'Prefer: handling=lenient' leaves out an unknown one."


class SearchParameterMalformed(InvalidInput):
    """A parameter's value is empty, of another form, or given twice where one is meant."""

    code = "search_parameter_malformed"
    remedy = "Correct the named parameter. An empty one is refused: left out, it would widen the search."
