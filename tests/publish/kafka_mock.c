/* A Kafka of one broker, librdkafka's mock, for test_kafka.py. First line of standard output: its address. Then every message of the topic "fovea", in order. Takes the
 * commands "down" and "up" on standard input, and ends with it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

static rd_kafka_t *make_client(rd_kafka_type_t type, const char *servers) {
  char text[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, NULL);
  rd_kafka_conf_set(conf, "bootstrap.servers", servers, text, sizeof text);
  rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", text, sizeof text);
  if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set(conf, "group.id", "test", text, sizeof text);
  return rd_kafka_new(type, conf, text, sizeof text);
}

static rd_kafka_t *make_consumer(const char *servers) {
  rd_kafka_t *consumer = make_client(RD_KAFKA_CONSUMER, servers);
  rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(all, "fovea", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_assign(consumer, all);
  rd_kafka_topic_partition_list_destroy(all);
  return consumer;
}

/* 0: standard input has ended. */
static int obey(rd_kafka_mock_cluster_t *cluster) {
  char text[256] = "";
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&in, 1, 0) <= 0) return 1;
  if (read(STDIN_FILENO, text, sizeof text - 1) <= 0) return 0;
  if (strncmp(text, "down", 4) == 0) rd_kafka_mock_broker_set_down(cluster, 1);
  if (strncmp(text, "up", 2) == 0) rd_kafka_mock_broker_set_up(cluster, 1);
  return 1;
}

int main(void) {
  rd_kafka_t *owner = make_client(RD_KAFKA_PRODUCER, "127.0.0.1:1");
  rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
  rd_kafka_mock_topic_create(cluster, "fovea", 1, 1);
  const char *servers = rd_kafka_mock_cluster_bootstraps(cluster);
  printf("%s\n", servers);
  fflush(stdout);
  rd_kafka_t *consumer = make_consumer(servers);
  while (obey(cluster)) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 50);
    if (message && !message->err) {
      printf("%.*s %.*s\n", (int)message->key_len, (const char *)message->key, (int)message->len, (const char *)message->payload);
      fflush(stdout);
    }
    if (message) rd_kafka_message_destroy(message);
  }
  rd_kafka_destroy(consumer);
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(owner);
  return 0;
}
