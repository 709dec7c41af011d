"""Merging three descriptions into one."""

from ochaq_web.core.openapi import merge

OWN = {
    "openapi": "3.1.0",
    "info": {"title": "Ochaq", "description": "One."},
    "paths": {"/api/v1/recipes/": {"get": {"operationId": "recipes"}}},
    "components": {"schemas": {"Error": {"type": "object"}}},
}
FILES = {
    "paths": {
        "/api/v1/files/": {
            "get": {"operationId": "list", "responses": {"200": {"$ref": "#/components/schemas/Error"}}}
        },
        "/internal/v1/x": {"get": {}},
    },
    "components": {"schemas": {"Error": {"type": "string"}}},
}


def test_components_of_others_get_their_name_in_front_so_that_none_is_lost():
    merged = merge(OWN, {"files": FILES})
    merged["components"]["schemas"].pop("Problem")
    assert merged["components"]["schemas"] == {"Error": {"type": "object"}, "files.Error": {"type": "string"}}
    operation = merged["paths"]["/api/v1/files/"]["get"]
    assert operation["responses"]["200"] == {"$ref": "#/components/schemas/files.Error"}
    assert operation["operationId"] == "files_list"


def test_every_door_describes_its_problems_and_no_guessed_ones():
    guessed = {
        "422": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}}}
    }
    search = {"paths": {"/api/v1/search/students": {"get": {"responses": {"200": {}, **guessed}}}}}
    merged = merge(OWN, {"search": search})
    assert set(merged["paths"]["/api/v1/search/students"]["get"]["responses"]) == {"200", "default"}
    for path in merged["paths"].values():
        assert "application/problem+json" in path["get"]["responses"]["default"]["content"]
    assert "errors" in merged["components"]["schemas"]["Problem"]["required"]
    assert "responses" not in OWN["paths"]["/api/v1/recipes/"]["get"]


def test_internal_paths_are_left_out():
    assert "/internal/v1/x" not in merge(OWN, {"files": FILES})["paths"]


def test_a_service_that_is_down_is_named_and_breaks_nothing():
    merged = merge(OWN, {"files": None, "search": None})
    assert merged["info"]["x-missing"] == ["files", "search"]
    assert "do not answer: files, search" in merged["info"]["description"]
    assert "x-missing" not in OWN["info"]
