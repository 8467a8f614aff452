"""A run from a list, as a process: killed and gone on with, and interrupted."""

import signal

from e2e.harness import SOURCE, expected, tree, wait_until


def command(dest, *flags):
    return ("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "4", *flags)


def test_after_a_kill_the_same_command_continues_with_the_list(server, machine, dest, tmp_path):
    keys = sorted(expected(server))[::2]
    (tmp_path / "list").write_text("\n".join(keys))
    words = command(dest, "--files-from", str(tmp_path / "list"))
    rule = server.faults.add("delay", operation="GetObject", seconds=0.2)
    with machine.start(*words) as running:
        wait_until(lambda: rule.hits >= 8, "some objects")
        running.kill()
    server.faults.clear()
    ran = machine.run(*words, "--json")
    assert ran.code == 0, ran.text
    assert ran.summary["balanced"]
    assert tree(dest) == {key: body for key, body in expected(server).items() if key in keys}


def test_an_interruption_while_the_list_is_looked_up_ends_in_order(server, machine, dest, tmp_path):
    (tmp_path / "list").write_text("\n".join(expected(server)))
    words = command(dest, "--files-from", str(tmp_path / "list"))
    rule = server.faults.add("delay", operation="HeadObject", seconds=1.0)
    with machine.start(*words) as running:
        wait_until(lambda: rule.hits >= 2, "the first look-ups")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert "Resume: s3haul cp" in err
    server.faults.clear()
    assert machine.run(*words).code == 0
    assert tree(dest) == expected(server)
