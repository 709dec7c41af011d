"""Health: live without dependencies, ready with them, both over HTTP."""

import httpx
from ochaq_shared.health import Health, HealthServer


def broken() -> None:
    raise ConnectionError("secret host name")


def test_a_failing_critical_check_makes_unready_and_says_no_secrets() -> None:
    health = Health("files", "relay")
    health.check("postgres", broken)
    answer = health.answer("/readyz?verbose")
    assert answer is not None and answer.status == 503
    assert b"ConnectionError" in answer.body and b"secret" not in answer.body
    live = health.answer("/livez")
    assert live is not None and live.status == 200


def test_a_failing_optional_check_is_degraded_but_ready() -> None:
    health = Health("web", "serve")
    health.check("redis", broken, critical=False)
    report = health.report()
    assert report["ready"] is True and report["checks"]["redis"]["ok"] is False


def test_draining_is_unready_at_once() -> None:
    health = Health("web", "serve")
    assert health.report()["ready"] is True
    health.draining = True
    assert health.report()["ready"] is False


def test_a_loop_that_stopped_beating_is_dead() -> None:
    health = Health("web", "relay", stall_after=0.0)
    answer = health.answer("/livez")
    assert answer is not None and answer.status == 503


def test_the_health_server_answers_over_http() -> None:
    server = HealthServer(Health("web", "relay"), "127.0.0.1", 0)
    server.start()
    try:
        base = f"http://127.0.0.1:{server.port}"
        assert httpx.get(f"{base}/readyz", trust_env=False).status_code == 200
        assert "python_info" in httpx.get(f"{base}/metrics", trust_env=False).text
        assert httpx.get(f"{base}/elsewhere", trust_env=False).status_code == 404
    finally:
        server.stop()
