"""Addresses for mail at a custodian that sends none, and addresses that are refused."""

from __future__ import annotations

import pytest

from tests.integration.api.world import Patient, Service, assert_problem, raw


def test_where_no_mail_is_sent_no_address_is_taken_and_the_answer_says_why(patient: Patient) -> None:
    params = {"subject": patient.subject}
    answer = raw(patient.api, "PUT", "/v1/contact", params=params, json={"address": "a@mail.test"})
    assert_problem(answer, 409, "mail_not_configured")
    assert_problem(raw(patient.api, "GET", "/v1/contact", params=params), 404, "contact_unknown")
    assert_problem(raw(patient.api, "DELETE", "/v1/contact", params=params), 404, "contact_unknown")


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@localhost", "jörg@mail.test", "a@b.test\r\nBcc: c@d.test"]
)
def test_text_that_is_no_address_is_refused_first(patient: Patient, address: str) -> None:
    answer = raw(
        patient.api, "PUT", "/v1/contact", params={"subject": patient.subject}, json={"address": address}
    )
    problem = assert_problem(answer, 422, "mail_address_refused")
    assert problem["field"] == "address"


@pytest.mark.parametrize(
    "body", [{}, {"address": "a@b.test", "language": "fr"}, {"address": "a@b.test", "kinds": []},
             {"address": "a@b.test", "kinds": ["health"]}, {"address": "a" * 300}]
)  # fmt: skip
def test_wish_that_is_not_understood_is_refused(patient: Patient, body: dict[str, object]) -> None:
    answer = raw(patient.api, "PUT", "/v1/contact", params={"subject": patient.subject}, json=body)
    assert_problem(answer, 422, "invalid_input")


def test_link_of_no_mail_answers_as_any(service: Service) -> None:
    path = "/v1/contact/unsubscribe/" + "x" * 43
    assert service.http.get(path).status_code == 200
    assert service.http.post(path).status_code == 204
    assert_problem(service.http.post(path + "x"), 422, "invalid_input")
