"""The words of the code tables over HTTP."""

from __future__ import annotations

import pytest

from tests.integration.api.world import Service, assert_problem

TABLES = ("purposes", "categories", "sensitivities", "actions", "obligations", "powers")


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_published_code_has_its_words(service: Service, language: str) -> None:
    answer = service.http.get("/v1/tables/words", params={"language": language})
    words, codes = answer.json(), service.http.get("/v1/tables").json()
    assert (words["version"], words["language"]) == (codes["version"], language)
    for table in TABLES:
        assert list(words[table]) == codes[table]
    assert set(words["kinds"]) == {"permit", "deny", "delegation", "guardianship", "refusal"}
    assert all(text for table in (*TABLES, "kinds", "duo") for text in words[table].values())
    assert answer.headers["content-language"] == language


def test_words_of_the_languages_differ(service: Service) -> None:
    english, german = (
        service.http.get("/v1/tables/words", params={"language": name}).json() for name in ("en", "de")
    )
    assert english["purposes"]["TREAT"] != german["purposes"]["TREAT"]
    assert german["kinds"]["permit"] == "Erlaubnis"


def test_words_may_be_kept_and_are_not_sent_again(service: Service) -> None:
    answer = service.http.get("/v1/tables/words", params={"language": "en"})
    assert answer.headers["cache-control"] == "public, max-age=3600"
    tag = answer.headers["etag"]
    again = service.http.get("/v1/tables/words", params={"language": "en"}, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = service.http.get("/v1/tables/words", params={"language": "de"}, headers={"If-None-Match": tag})
    assert other.status_code == 200


@pytest.mark.parametrize("query", [{}, {"language": "fr"}])
def test_words_in_no_published_language_are_refused(service: Service, query: dict[str, str]) -> None:
    problem = assert_problem(service.http.get("/v1/tables/words", params=query), 422, "invalid_input")
    assert problem["field"] == "query.language"
