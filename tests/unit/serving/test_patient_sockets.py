"""A thread that answers never waits for a client that reads slowly, however large the answer is."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from app.serving.connections import PatientSocket
from app.serving.patience import Patience

ANSWER = bytes(range(256)) * 32 * 1024


@pytest.fixture
def ends() -> Iterator[tuple[PatientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    patient = PatientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
    patient.become_patient(Patience(body_seconds=0.1))
    with closing(patient), closing(theirs):
        yield patient, theirs


def test_large_answer_waits_in_a_file_and_arrives_whole(ends: tuple[PatientSocket, socket.socket]) -> None:
    patient, client = ends

    patient.sendall(b"head")
    patient.sendall(ANSWER)
    patient.sendall(b"end")

    assert patient.unsent > 7 * 1024 * 1024
    assert patient.in_memory < 1024
    assert received(patient, client) == b"head" + ANSWER + b"end"
    assert (patient.unsent, patient.spooled) == (0, 0)


def test_answer_in_many_pieces_waits_for_its_client(ends: tuple[PatientSocket, socket.socket]) -> None:
    patient, _ = ends

    with pytest.raises(BrokenPipeError):
        for start in range(0, len(ANSWER), 64 * 1024):
            patient.sendall(ANSWER[start : start + 64 * 1024])

    assert patient.in_memory <= Patience().largest_answer_ahead + 64 * 1024


def test_a_client_that_reads_a_little_now_and_then_is_given_up(ends: tuple[PatientSocket, socket.socket]) -> None:
    patient, client = ends
    patient.become_patient(Patience(body_seconds=0.1, bytes_per_second=1_000_000_000))
    reading = threading.Thread(target=read_slowly, args=[client], daemon=True)
    reading.start()

    with pytest.raises(BrokenPipeError):
        for _ in range(10_000):
            patient.sendall(ANSWER[: 64 * 1024])

    client.close()
    reading.join()


def read_slowly(client: socket.socket) -> None:
    """Read so little that the deadline passes, and so often that the socket never stays full for long."""
    with suppress(OSError):
        while client.recv(100_000):
            time.sleep(0.01)


def received(patient: PatientSocket, client: socket.socket) -> bytes:
    """Read all that is sent, a little at a time."""
    client.setblocking(False)
    data = bytearray()
    while True:
        try:
            data += client.recv(50_000)
        except BlockingIOError:
            if not patient.unsent:
                return bytes(data)
        patient.flush()
