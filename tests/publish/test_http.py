"""foveapublish and an HTTP server of the test's own, which refuses, hesitates and goes away."""
import base64
import contextlib
import http.server
import json
import os
import socket
import ssl
import threading
import time

from support import check_complete, free_port, ids, missing, pipeline, states, wait_for
from test_mqtt import make_certificates
import tap


class Server:
    """Takes lines; answers(number of the request, its lines) says status and headers."""

    def __init__(self, answers=lambda number, lines: (204, {}), port=0, context=None):
        self.lines, self.requests, self.connections = [], [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def setup(self):
                super().setup()
                outer.connections.append(self.connection)

            def do_POST(self):
                lines = self.rfile.read(int(self.headers['Content-Length'])).decode().splitlines()
                status, headers = answers(len(outer.requests), lines)
                outer.requests.append((time.monotonic(), self.path, dict(self.headers), len(lines), status))
                if status < 300:
                    outer.lines += lines
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:  # they would go on without the server
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def publish(port, *more, scheme='http'):
    return ['method=http', 'address=%s://127.0.0.1:%d/in' % (scheme, port), 'batch-records=20', 'batch-ms=100', 'retry-min=100', 'retry-max=400', *more]


def run(tmp, properties, count, name='pipeline', rate=200, env=None):
    with pipeline(tmp, properties, count, rate=rate, name=name, env=env) as p:
        assert p.child.wait(60) == 0, p.text()
        return p.said()


def test_batches_arrive_in_order(tmp):
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    with Server() as server:
        run(tmp, publish(server.port), 205)
        check_complete(ids(server.lines), 0, 205)
        _, path, headers, _, _ = server.requests[0]
        assert path == '/in' and headers['Content-Type'] == 'application/x-ndjson', headers
        assert all(n <= 20 for _, _, _, n, _ in server.requests) and len(server.requests) < 60, [r[3] for r in server.requests]
        assert all(json.loads(line)['source'] == 'gate' for line in server.lines)


def test_busy_server_is_asked_again_when_it_says(tmp):
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    busy = {1: (503, {'Retry-After': '2'}), 2: (429, {}), 4: (500, {}), 5: (401, {})}
    with Server(lambda number, lines: busy.get(number, (200, {}))) as server:
        text = run(tmp, publish(server.port, 'drain-timeout=20000'), 200)
        assert server.requests[2][0] - server.requests[1][0] >= 1.9, 'did not wait for Retry-After'
        check_complete(ids(server.lines), 0, 200)
        assert 'the server answers 503' in text and 'the server answers 401' in text, text
        after = states(text)[states(text).index('retrying'):]
        assert after.count('connected') <= 2, 'a connection alone is no success: %s' % after


def test_message_that_is_never_taken_is_put_aside(tmp):
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    poison = {'"seq":33,', '"seq":34,', '"seq":90,'}
    with Server(lambda number, lines: (422 if any(p in line for p in poison for line in lines) else 200, {})) as server:
        text = run(tmp, publish(server.port, 'drain-timeout=20000'), 100)
        assert sorted(json.loads(line)['seq'] for line in server.lines) == [n for n in range(100) if n not in (33, 34, 90)]
        assert [json.loads(line)['seq'] for line in server.lines] == sorted(json.loads(line)['seq'] for line in server.lines)
        assert 'put aside' in text and 'not delivered' not in text, text


def test_server_away_for_a_while(tmp):
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    port, lines = free_port(), []
    with pipeline(tmp, publish(port, 'drain-timeout=20000'), 500) as p:
        wait_for(lambda: 'retrying' in states(p.text()), 10, 'the first failure')
        with Server(port=port) as server:
            wait_for(lambda: len(server.lines) >= 50, 10, 'what waited')
        lines += server.lines
        time.sleep(1)
        with Server(port=port) as server:
            assert p.child.wait(60) == 0, p.text()
        lines += server.lines
    check_complete(ids(lines), 40, 500)


def test_tls_and_credentials(tmp):
    if missing('gst-launch-1.0', 'openssl'):
        return missing('gst-launch-1.0', 'openssl')
    make_certificates(tmp)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(tmp, 'server.pem'), os.path.join(tmp, 'server.key'))
    with Server(context=context) as server:
        env = {'FOVEA_TEST_SECRET': 'open:sesame'}
        ca = 'ca-file=' + os.path.join(tmp, 'ca.pem')
        run(tmp, publish(server.port, ca, 'token-from=env:FOVEA_TEST_SECRET', scheme='https'), 5, name='token', env=env)
        assert server.requests[-1][2]['Authorization'] == 'Bearer open:sesame'
        run(tmp, publish(server.port, ca, 'username=me', 'password-from=env:FOVEA_TEST_SECRET', scheme='https'), 5, name='basic', env=env)
        assert server.requests[-1][2]['Authorization'] == 'Basic ' + base64.b64encode(b'me:open:sesame').decode()
        before = len(server.requests)
        text = run(tmp, publish(server.port, 'drain-timeout=3000', scheme='https'), 5, name='distrust')
        assert len(server.requests) == before and 'certificate' in text, text


if __name__ == '__main__':
    tap.run(globals())
