"""foveapublish and an MQTT broker that goes away, stops answering, or is not who it should be."""
import os
import random
import signal
import subprocess
import sys
import time

from support import (MQTT_WINDOW, Broker, Process, Proxy, Reader, check_complete, free_port, ids, missing, mqtt, pipeline, program, states, wait_for)
import tap

NEEDS = ('mosquitto', 'mosquitto_sub', 'gst-launch-1.0')


def publish(port, *more):
    return ['method=mqtt', 'address=mqtt://127.0.0.1:%d' % port, 'retry-min=100', 'retry-max=400', *more]


def all_came(reader, count):
    return lambda: len(set(ids(reader.lines()))) >= count


def test_every_version_and_quality_of_service(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    with mqtt(tmp) as (broker, reader):
        for i, (version, qos) in enumerate((v, q) for v in ('5', '3.1.1') for q in (0, 1, 2)):
            with pipeline(tmp, publish(broker.port, 'mqtt-version=' + version, 'qos=%d' % qos), 200, live=False) as p:
                assert p.child.wait(30) == 0, p.text()
            wait_for(all_came(reader, 200 * (i + 1)), 10, 'version %s, qos %d' % (version, qos))
        assert check_complete(ids(reader.lines()), 0, 1200) == 0
        assert all(line.startswith('fovea/gate ') for line in reader.lines())


def test_broker_away_at_the_start_and_for_a_while(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    port, count = free_port(), 600
    with Broker(tmp, port) as broker, Reader(tmp, port) as reader:
        broker.end(signal.SIGTERM)
        with pipeline(tmp, publish(port, 'drain-timeout=20000'), count) as p:
            wait_for(lambda: 'retrying' in states(p.text()), 10, 'the first failure')
            assert 'Setting pipeline to PLAYING' in p.text(), 'the pipeline does not play while the network is down'
            with Broker(tmp, port) as broker:
                wait_for(all_came(reader, 100), 20, 'what waited')
                broker.end(signal.SIGTERM)
            time.sleep(1.5)
            with Broker(tmp, port):
                assert p.child.wait(40) == 0, p.text()
                wait_for(all_came(reader, count), 20, 'the rest')
        check_complete(ids(reader.lines()), 2 * MQTT_WINDOW, count)
        seen = states(p.text())
        assert seen[:2] == ['connecting', 'retrying'] and seen.count('connected') == 2, seen


def stored_ids(spool):
    """What lies in a spool's files."""
    found = []
    for name in sorted(os.listdir(spool)):
        if name.endswith('.seg'):
            with open(os.path.join(spool, name), errors='replace') as f:
                found += ids([line for line in f.read().split('\n')])
    return found


def kill_and_restart(tmp, kills, seed):
    """A pipeline is killed at random moments while the broker comes and goes; (messages sent, received, repeated)."""
    chance, port, spool, stored = random.Random(seed), free_port(), os.path.join(tmp, 'spool'), set()
    with Broker(tmp, port) as broker, Reader(tmp, port) as reader:
        for i in range(kills):
            if i % 4 == 2:
                broker.end(signal.SIGTERM)
            if i % 4 == 3:
                broker = Broker(tmp, port)
            with pipeline(tmp, publish(port, 'spool=' + spool), rate=200, name='killed') as p:
                time.sleep(0.15 + chance.random())
                p.end(signal.SIGKILL)
            stored |= set(stored_ids(spool)) if os.path.isdir(spool) else set()
        if broker.child.poll() is not None:
            broker = Broker(tmp, port)
        with broker, pipeline(tmp, publish(port, 'spool=' + spool, 'drain-timeout=60000'), 100, rate=200) as p:
            assert p.child.wait(90) == 0, p.text()
            stored |= set(stored_ids(spool))
            wait_for(lambda: stored <= set(ids(reader.lines())), 30, 'what was stored')
        found = ids(reader.lines())
        repeated = check_complete(found, (kills + 1 + kills // 4) * MQTT_WINDOW)
        for run in {run for run, _ in found}:  # of one kill
            again = len([i for i in found if i[0] == run]) - len({i for i in found if i[0] == run})
            assert again <= 2 * MQTT_WINDOW, 'of run %s %d came twice' % (run, again)
        return len(set(found)), len(found), repeated


def test_killed_pipelines_lose_nothing(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    print('# sent %d, received %d, repeated %d' % kill_and_restart(tmp, 5, 5))


def test_stopped_broker_is_left_and_found_again(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    with mqtt(tmp) as (broker, reader), pipeline(tmp, publish(broker.port, 'keep-alive=5', 'drain-timeout=30000'), 1200) as p:
        wait_for(all_came(reader, 50), 10, 'the first messages')
        broker.child.send_signal(signal.SIGSTOP)
        wait_for(lambda: 'retrying' in states(p.text()), 12, 'the end of patience')
        broker.child.send_signal(signal.SIGCONT)
        assert p.child.wait(60) == 0, p.text()
        wait_for(all_came(reader, 1200), 20, 'the rest')
        check_complete(ids(reader.lines()), 4 * MQTT_WINDOW, 1200)


def test_half_open_connection_is_given_up(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    with mqtt(tmp) as (broker, reader):
        proxy = Proxy(broker.port)
        with pipeline(tmp, publish(proxy.port, 'keep-alive=5', 'drain-timeout=30000'), 1000) as p:
            wait_for(all_came(reader, 50), 10, 'the first messages')
            proxy.freeze()
            assert p.child.wait(60) == 0, p.text()
        wait_for(all_came(reader, 1000), 20, 'the rest')
        assert proxy.connections == 2, proxy.connections
        check_complete(ids(reader.lines()), MQTT_WINDOW, 1000)


def test_availability_topic_tells_of_a_crash(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    with mqtt(tmp) as (broker, reader):
        def last():
            said = [line for line in reader.text().split('\n') if line.startswith('fovea/gate/up ')]
            return said[-1] if said else ''
        for ending, number in (('crash', signal.SIGKILL), ('end', signal.SIGINT)):
            with pipeline(tmp, publish(broker.port, 'availability-topic=fovea/{source}/up')) as p:
                wait_for(lambda: last().endswith('online'), 10, 'online')
                p.end(number)
                wait_for(lambda: last().endswith('offline'), 10, 'offline after a ' + ending)


def make_certificates(tmp):
    """An authority, and certificates of it for a server (localhost, 127.0.0.1), another host and a client."""
    def openssl(*args):
        subprocess.run(['openssl', *args], cwd=tmp, check=True, capture_output=True)
    for name in ('ca', 'stranger'):
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=' + name, '-keyout', name + '.key', '-out', name + '.pem')
    for name, alternative in (('server', 'DNS:localhost,IP:127.0.0.1'), ('elsewhere', 'DNS:example.org'), ('client', 'DNS:client')):
        with open(os.path.join(tmp, 'ext'), 'w') as f:
            f.write('subjectAltName=' + alternative)
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=' + name, '-keyout', name + '.key', '-out', name + '.csr')
        openssl('x509', '-req', '-in', name + '.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext', '-out', name + '.pem')


def test_tls_is_verified(tmp):
    if missing(*NEEDS, 'openssl'):
        return missing(*NEEDS, 'openssl')
    make_certificates(tmp)

    def path(name):
        return os.path.join(tmp, name)

    def tls(server):
        return ['allow_anonymous true', 'cafile ' + path('ca.pem'), 'certfile ' + path(server + '.pem'), 'keyfile ' + path(server + '.key'), 'require_certificate true']
    own = ['cert-file=' + path('client.pem'), 'key-file=' + path('client.key')]
    cases = [('server', ['ca-file=' + path('ca.pem'), *own], None),
             ('server', ['ca-file=' + path('stranger.pem'), *own], 'certificate verify failed'),
             ('server', own, 'certificate verify failed'),
             ('elsewhere', ['ca-file=' + path('ca.pem'), *own], 'certificate verify failed'),
             ('elsewhere', ['ca-file=' + path('ca.pem'), 'tls-verify=false', *own], None),
             ('server', ['ca-file=' + path('ca.pem')], '')]
    for i, (server, properties, reason) in enumerate(cases):
        port = free_port()
        with Broker(tmp, port, tls(server), name='broker%d' % i) as broker:
            more = ['method=mqtt', 'address=mqtts://127.0.0.1:%d' % port, 'drain-timeout=3000', 'retry-min=100', 'retry-max=200', *properties]
            with pipeline(tmp, more, 5, name='tls%d' % i) as p:
                p.child.wait(30)
            connected = 'connected' in states(p.text()) and 'not delivered' not in p.text()
            assert connected == (reason is None), 'case %d: %s' % (i, p.text())
            assert not reason or reason in p.said(), 'case %d does not say %s: %s' % (i, reason, p.text())


def test_secrets_do_not_show(tmp):
    if missing(*NEEDS, 'mosquitto_passwd'):
        return missing(*NEEDS, 'mosquitto_passwd')
    secret, passwords, dots = 'Xq7-open-sesame-91', os.path.join(tmp, 'passwords'), os.path.join(tmp, 'dots')
    open(passwords, 'w').close()
    os.chmod(passwords, 0o600)
    subprocess.run([program('mosquitto_passwd'), '-b', passwords, 'camera', secret], check=True, capture_output=True)
    os.mkdir(dots)
    port = free_port()
    with Broker(tmp, port, ['allow_anonymous false', 'password_file ' + passwords]):
        env = {'GST_DEBUG': '*:9', 'GST_DEBUG_DUMP_DOT_DIR': dots, 'GST_DEBUG_NO_COLOR': '1', 'FOVEA_TEST_PASSWORD': secret}
        good = publish(port, 'username=camera', 'password-from=env:FOVEA_TEST_PASSWORD', 'drain-timeout=5000')
        with pipeline(tmp, good, 10, name='good', env=env) as p:
            p.child.wait(60)
        assert 'connected' in states(p.text()) and 'not delivered' not in p.text()
        wrong = publish(port, 'username=camera', 'password-from=env:FOVEA_WRONG_PASSWORD', 'drain-timeout=600')
        with pipeline(tmp, wrong, 10, name='wrong', env={**env, 'FOVEA_WRONG_PASSWORD': secret + 'x'}) as q:
            q.child.wait(60)
        assert 'connected' not in states(q.text()) and 'authori' in q.said()
        written = [os.path.join(dots, name) for name in os.listdir(dots)]
        assert written, 'no dot files'
        for path in [p.log, q.log, *written]:
            with open(path, errors='replace') as f:
                assert secret not in f.read(), 'the password is in ' + path


def test_network_that_comes_up_is_tried_at_once(tmp):
    if missing(*NEEDS, 'unshare', 'ip'):
        return missing(*NEEDS, 'unshare', 'ip')
    if subprocess.run(['unshare', '-n', 'true'], capture_output=True).returncode:
        return 'no network namespaces for us here'
    launch = program('gst-launch-1.0') + (' -m videotestsrc is-live=true ! video/x-raw,width=16,height=16,framerate=50/1 ! '
              'foveapublish source=gate method=mqtt address=mqtt://127.0.0.1:1883 retry-min=600000 retry-max=600000 ! fakesink')
    conf = os.path.join(tmp, 'c.conf')
    with open(conf, 'w') as f:
        f.write('listener 1883\nallow_anonymous true\nuser root\n')
    script = '%s -c %s & B=$!; %s & P=$!; sleep 2; ip link set lo up; sleep 4; kill -9 $P $B; wait' % (program('mosquitto'), conf, launch)
    with Process(['unshare', '-n', 'sh', '-c', script], os.path.join(tmp, 'namespace.log')) as p:
        p.child.wait(30)
    assert states(p.text())[:3] == ['connecting', 'retrying', 'connected'], p.text()


if __name__ == '__main__':
    tap.run(globals())
