"""The outages of test_mqtt.py at full length. Meson suite `long`; prints its figures."""
import os
import signal
import time

from support import MQTT_WINDOW, Broker, Reader, check_complete, free_port, ids, missing, pipeline, wait_for
from test_mqtt import NEEDS, kill_and_restart, publish
import tap


def test_broker_away_for_a_minute(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    port, count = free_port(), 3000
    with Broker(tmp, port) as broker, Reader(tmp, port) as reader:
        with pipeline(tmp, publish(port, 'spool=' + os.path.join(tmp, 'spool'), 'drain-timeout=120000', 'retry-max=5000'), count, rate=30) as p:
            wait_for(lambda: len(reader.lines()) > 100, 30, 'the first messages')
            broker.end(signal.SIGTERM)
            time.sleep(60)
            with Broker(tmp, port):
                assert p.child.wait(240) == 0, p.text()
                wait_for(lambda: len(set(ids(reader.lines()))) >= count, 30, 'the rest')
        repeated = check_complete(ids(reader.lines()), MQTT_WINDOW, count)
        print('# a minute away: sent %d, received %d, repeated %d' % (count, len(ids(reader.lines())), repeated))


def test_broker_away_for_the_whole_run_then_back(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    port, count, spool = free_port(), 1800, 'spool=' + os.path.join(tmp, 'spool')
    with Broker(tmp, port) as broker, Reader(tmp, port) as reader:
        broker.end(signal.SIGTERM)
        with pipeline(tmp, publish(port, spool), count, rate=30) as p:
            assert p.child.wait(240) == 0, p.text()
        with Broker(tmp, port), pipeline(tmp, publish(port, spool, 'drain-timeout=120000'), 30, rate=30) as p:
            assert p.child.wait(240) == 0, p.text()
            wait_for(lambda: len(set(ids(reader.lines()))) >= count + 30, 30, 'the rest')
        repeated = check_complete(ids(reader.lines()), 0, count + 30)
        print('# the whole run away: sent %d, received %d, repeated %d' % (count + 30, len(ids(reader.lines())), repeated))


def test_fifty_kills(tmp):
    if missing(*NEEDS):
        return missing(*NEEDS)
    print('# fifty kills: sent %d, received %d, repeated %d' % kill_and_restart(tmp, 50, 50))


if __name__ == '__main__':
    tap.run(globals())
