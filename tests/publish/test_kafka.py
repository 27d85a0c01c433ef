"""foveapublish and librdkafka's mock of a Kafka broker."""
import os
import signal
import time

from support import Process, check_complete, ids, missing, pipeline, states, wait_for
import tap

WINDOW = 500  # plugins/publish/transport_kafka.c


class Kafka(Process):
    def __init__(self, tmp):
        super().__init__([os.environ['FOVEA_KAFKA_MOCK']], os.path.join(tmp, 'kafka.log'))
        wait_for(lambda: '\n' in self.text(), 10, "the mock's address")
        self.address = self.text().split('\n')[0]

    def lines(self):
        return self.text().split('\n')[1:-1]

    def tell(self, command):
        self.child.stdin.write(command.encode() + b'\n')
        self.child.stdin.flush()


def lacking():
    return missing('gst-launch-1.0') or (None if os.path.exists(os.environ.get('FOVEA_KAFKA_MOCK', '')) else 'built without librdkafka')


def publish(kafka, *more):
    return ['method=kafka', 'address=' + kafka.address, 'retry-min=100', 'retry-max=400', *more]


def test_messages_arrive_in_order(tmp):
    if lacking():
        return lacking()
    with Kafka(tmp) as kafka:
        with pipeline(tmp, publish(kafka), 300, rate=300) as p:
            assert p.child.wait(60) == 0, p.text()
        wait_for(lambda: len(kafka.lines()) >= 300, 10, 'the messages')
        check_complete(ids(kafka.lines()), 0, 300)
        assert all(line.startswith('gate {') for line in kafka.lines()), 'the key is the source'


def test_broker_down_for_a_while(tmp):
    if lacking():
        return lacking()
    with Kafka(tmp) as kafka:
        with pipeline(tmp, publish(kafka, 'drain-timeout=30000'), 600) as p:
            wait_for(lambda: len(kafka.lines()) >= 50, 20, 'the first messages')
            kafka.tell('down')
            wait_for(lambda: 'retrying' in states(p.text()), 20, 'the loss')
            time.sleep(1)
            kafka.tell('up')
            assert p.child.wait(60) == 0, p.text()
        wait_for(lambda: len(set(ids(kafka.lines()))) >= 600, 20, 'the rest')
        check_complete(ids(kafka.lines()), WINDOW, 600)


def test_killed_pipeline_goes_on_from_its_spool(tmp):
    if lacking():
        return lacking()
    spool = 'spool=' + os.path.join(tmp, 'spool')
    with Kafka(tmp) as kafka:
        for kill in range(2):
            with pipeline(tmp, publish(kafka, spool), rate=200, name='killed') as p:
                wait_for(lambda: len(kafka.lines()) >= 100 * (kill + 1), 20, 'messages')
                p.end(signal.SIGKILL)
        with pipeline(tmp, publish(kafka, spool, 'drain-timeout=30000'), 50) as p:
            assert p.child.wait(60) == 0, p.text()
        wait_for(lambda: kafka.lines() and ids(kafka.lines())[-1][1] == 50, 10, 'the last message')
        check_complete(ids(kafka.lines()), 2 * WINDOW)


if __name__ == '__main__':
    tap.run(globals())
