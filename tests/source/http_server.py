#!/usr/bin/env python3
"""A small HTTP server for tests of foveasrc. Prints "port N"; serves DIRECTORY, and besides:

/mjpeg?frames=N   as an IP camera does: DIRECTORY/frame.jpg again and again, 25 a second, N times and then the end
/loop             redirects to itself
"""
import functools
import http.server
import sys
import time
import urllib.parse


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        if address.path == '/loop':
            self.send_response(302)
            self.send_header('Location', '/loop')
            self.send_header('Content-Length', '0')
            self.end_headers()
        elif address.path == '/mjpeg':
            self.mjpeg(int(urllib.parse.parse_qs(address.query)['frames'][0]))
        else:
            super().do_GET()

    def mjpeg(self, count):
        with open(self.translate_path('/frame.jpg'), 'rb') as file:
            picture = file.read()
        self.close_connection = True
        self.send_response(200)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
        self.end_headers()
        try:
            for _ in range(count):
                self.wfile.write(b'--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(picture) + picture + b'\r\n')
                time.sleep(0.04)
        except OSError:
            pass

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=sys.argv[1]))
print('port', server.server_address[1], flush=True)
server.serve_forever()
