/* The courier against a transport that does as the test says. */
#include <string.h>

#include "publish/courier.h"

#define WINDOW 8

/* What the far side does next; the courier's thread reads it. */
typedef struct Fake {
  FoveaTransport base;
  GMutex lock;
  gint refuse_connections; /* so many attempts fail */
  gboolean silent;         /* takes messages, answers none */
  gint reject;             /* the message with this text */
  gint break_after;        /* the connection is lost after so many messages, once */
  gint connects, disconnects, flushes;
  guint most_open;
  GArray *got;             /* gint, in order */
  GQueue open;             /* guint64 *, sent and not answered */
  gboolean connected;
} Fake;

static const FoveaTransportMethod fake_method;

static void fake_connect(FoveaTransport *base) {
  Fake *fake = (Fake *)base;
  g_mutex_lock(&fake->lock);
  fake->connects++;
  gboolean refused = fake->refuse_connections > 0;
  fake->refuse_connections -= refused ? 1 : 0;
  fake->connected = !refused;
  g_mutex_unlock(&fake->lock);
  if (refused)
    base->events->lost(base->user, "refused by the test", 0);
  else
    base->events->connected(base->user);
}

static void fake_send(FoveaTransport *base, guint64 id, const gchar *line, gsize size) {
  Fake *fake = (Fake *)base;
  gint number = atoi(line);
  g_mutex_lock(&fake->lock);
  g_array_append_val(fake->got, number);
  g_queue_push_tail(&fake->open, g_memdup2(&id, sizeof id));
  fake->most_open = MAX(fake->most_open, fake->open.length);
  gboolean rejected = fake->reject && fake->reject == number, breaks = fake->break_after && fake->got->len == (guint)fake->break_after;
  if (rejected)
    g_free(g_queue_pop_tail(&fake->open));
  g_mutex_unlock(&fake->lock);
  if (rejected)
    base->events->rejected(base->user, id, "not to our taste");
  if (breaks)
    base->events->lost(base->user, "broken by the test", 0);
}

static void fake_poll(FoveaTransport *base, gint wake_fd, gint timeout_ms) {
  Fake *fake = (Fake *)base;
  gboolean answered = FALSE;
  for (;;) {
    g_mutex_lock(&fake->lock);
    guint64 *id = fake->silent ? NULL : g_queue_pop_head(&fake->open);
    g_mutex_unlock(&fake->lock);
    if (!id)
      break;
    base->events->acknowledged(base->user, *id);
    g_free(id);
    answered = TRUE;
  }
  if (!answered)
    fovea_transport_wait(wake_fd, -1, 0, MIN(timeout_ms, 10));
}

static void fake_flush(FoveaTransport *base) { g_atomic_int_inc(&((Fake *)base)->flushes); }

static void fake_disconnect(FoveaTransport *base, gboolean orderly) {
  Fake *fake = (Fake *)base;
  g_mutex_lock(&fake->lock);
  fake->disconnects++;
  g_queue_clear_full(&fake->open, g_free);
  g_mutex_unlock(&fake->lock);
}

static void fake_destroy(FoveaTransport *base) {}

static const FoveaTransportMethod fake_method = {"fake", FALSE, 500, NULL, fake_connect, fake_send, fake_poll, fake_flush, fake_disconnect, fake_destroy};

typedef struct Scene {
  Fake fake;
  FoveaOutbox *box;
  FoveaCourier *courier;
  GMutex lock;
  GArray *states, *waits; /* FoveaLinkState; guint ms */
  gint rejections, ticks;
} Scene;

static void on_state(gpointer user, FoveaLinkState state, const gchar *reason, guint retry_in_ms, guint attempt) {
  Scene *scene = user;
  g_mutex_lock(&scene->lock);
  g_array_append_val(scene->states, state);
  if (state == FOVEA_LINK_RETRYING)
    g_array_append_val(scene->waits, retry_in_ms);
  g_mutex_unlock(&scene->lock);
}

static void on_rejected(gpointer user, const gchar *reason) { g_atomic_int_inc(&((Scene *)user)->rejections); }
static void on_tick(gpointer user) { g_atomic_int_inc(&((Scene *)user)->ticks); }
static const FoveaCourierEvents events = {on_state, on_rejected, on_tick};

static Scene *open_scene(guint retry_min, guint retry_max, guint answer_timeout) {
  Scene *scene = g_new0(Scene, 1);
  gchar *problem;
  scene->fake.base = (FoveaTransport){.method = &fake_method, .window = WINDOW};
  scene->fake.got = g_array_new(FALSE, FALSE, sizeof(gint));
  scene->states = g_array_new(FALSE, FALSE, sizeof(FoveaLinkState));
  scene->waits = g_array_new(FALSE, FALSE, sizeof(guint));
  scene->box = fovea_outbox_new(&(FoveaOutboxSettings){.bytes = 1 << 20}, &problem, NULL);
  scene->courier = fovea_courier_new(&(FoveaCourierParams){.transport = &scene->fake.base, .outbox = scene->box, .retry_min_ms = retry_min, .retry_max_ms = retry_max,
                                                           .answer_timeout_ms = answer_timeout, .events = &events, .user = scene});
  return scene;
}

static void put(Scene *scene, gint from, gint to) {
  for (gint i = from; i < to; i++) {
    gchar *line = g_strdup_printf("%d\n", i);
    g_assert_true(fovea_outbox_append(scene->box, 0, line, strlen(line), NULL));
    g_free(line);
    fovea_courier_wake(scene->courier);
  }
}

static gboolean drain(Scene *scene, gint seconds) { return fovea_courier_drain(scene->courier, g_get_monotonic_time() + seconds * G_USEC_PER_SEC); }

static FoveaCourierStats close_scene(Scene *scene) {
  FoveaCourierStats stats;
  fovea_courier_stop(scene->courier);
  fovea_courier_stats(scene->courier, &stats);
  g_clear_pointer(&stats.last_error, g_free);
  fovea_courier_free(scene->courier);
  fovea_outbox_free(scene->box);
  g_array_unref(scene->fake.got);
  g_array_unref(scene->states);
  g_array_unref(scene->waits);
  g_queue_clear_full(&scene->fake.open, g_free);
  g_free(scene);
  return stats;
}

static gint got(Scene *scene, guint i) { return g_array_index(scene->fake.got, gint, i); }

static void delivers_in_order_within_the_window(void) {
  Scene *scene = open_scene(10, 20, 5000);
  put(scene, 0, 50);
  fovea_courier_start(scene->courier);
  put(scene, 50, 100);
  g_assert_true(drain(scene, 20));
  g_assert_cmpuint(scene->fake.got->len, ==, 100);
  for (gint i = 0; i < 100; i++) g_assert_cmpint(got(scene, (guint)i), ==, i);
  g_assert_cmpuint(scene->fake.most_open, <=, WINDOW);
  g_assert_cmpint(g_atomic_int_get(&scene->fake.flushes), >, 0);
  FoveaCourierStats stats = close_scene(scene);
  g_assert_cmpuint(stats.sent, ==, 100);
  g_assert_cmpuint(stats.acknowledged, ==, 100);
  g_assert_cmpuint(stats.acknowledged_bytes, ==, 10 * 2 + 90 * 3);
  g_assert_cmpuint(stats.reconnects, ==, 0);
  g_assert_cmpint(stats.state, ==, FOVEA_LINK_OFFLINE);
}

static void waits_longer_with_each_failure(void) {
  Scene *scene = open_scene(8, 40, 5000);
  scene->fake.refuse_connections = 6;
  put(scene, 0, 1);
  fovea_courier_start(scene->courier);
  g_assert_true(drain(scene, 20));
  g_mutex_lock(&scene->lock);
  g_assert_cmpuint(scene->waits->len, ==, 6);
  for (guint i = 0; i < 6; i++) {
    guint whole = MIN(8u << i, 40u), wait = g_array_index(scene->waits, guint, i);
    g_assert_cmpuint(wait, >=, whole / 2);
    g_assert_cmpuint(wait, <=, whole + 1);
  }
  g_assert_cmpint(g_array_index(scene->states, FoveaLinkState, 0), ==, FOVEA_LINK_CONNECTING);
  g_assert_cmpint(g_array_index(scene->states, FoveaLinkState, 7), ==, FOVEA_LINK_CONNECTED);
  g_mutex_unlock(&scene->lock);
  FoveaCourierStats stats = close_scene(scene);
  g_assert_cmpuint(stats.failures, ==, 6);
}

static void open_messages_come_again_after_a_loss(void) {
  Scene *scene = open_scene(5, 10, 5000);
  scene->fake.break_after = 20;
  put(scene, 0, 40);
  fovea_courier_start(scene->courier);
  g_assert_true(drain(scene, 20));
  gint expected = 0;
  guint repeated = 0;
  for (guint i = 0; i < scene->fake.got->len; i++) {
    if (got(scene, i) < expected)
      repeated++;
    else
      g_assert_cmpint(got(scene, i), ==, expected++);
  }
  g_assert_cmpint(expected, ==, 40);
  g_assert_cmpuint(repeated, >, 0);
  g_assert_cmpuint(repeated, <=, WINDOW);
  FoveaCourierStats stats = close_scene(scene);
  g_assert_cmpuint(stats.duplicates_possible, ==, repeated);
  g_assert_cmpuint(stats.acknowledged, ==, 40);
  g_assert_cmpuint(stats.reconnects, ==, 1);
}

static void silence_is_a_loss(void) {
  Scene *scene = open_scene(5, 10, 100);
  scene->fake.silent = TRUE;
  put(scene, 0, 3);
  fovea_courier_start(scene->courier);
  g_assert_false(fovea_courier_drain(scene->courier, g_get_monotonic_time() + 600000));
  g_mutex_lock(&scene->fake.lock);
  scene->fake.silent = FALSE;
  g_mutex_unlock(&scene->fake.lock);
  g_assert_true(drain(scene, 20));
  FoveaCourierStats stats = close_scene(scene);
  g_assert_cmpuint(stats.failures, >=, 1);
  g_assert_cmpuint(stats.acknowledged, ==, 3);
}

static void rejected_messages_leave(void) {
  Scene *scene = open_scene(5, 10, 5000);
  scene->fake.reject = 3;
  put(scene, 0, 6);
  fovea_courier_start(scene->courier);
  g_assert_true(drain(scene, 20));
  g_assert_cmpint(g_atomic_int_get(&scene->rejections), ==, 1);
  FoveaCourierStats stats = close_scene(scene);
  g_assert_cmpuint(stats.rejected, ==, 1);
  g_assert_cmpuint(stats.acknowledged, ==, 5);
}

static void stops_while_it_waits(void) {
  Scene *scene = open_scene(3600000, 3600000, 5000);
  scene->fake.refuse_connections = 1000;
  fovea_courier_start(scene->courier);
  put(scene, 0, 1);
  g_assert_false(fovea_courier_drain(scene->courier, g_get_monotonic_time() + 50000));
  close_scene(scene); /* returns, or the test times out */
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/publish/courier/delivers-in-order-within-the-window", delivers_in_order_within_the_window);
  g_test_add_func("/publish/courier/waits-longer-with-each-failure", waits_longer_with_each_failure);
  g_test_add_func("/publish/courier/open-messages-come-again-after-a-loss", open_messages_come_again_after_a_loss);
  g_test_add_func("/publish/courier/silence-is-a-loss", silence_is_a_loss);
  g_test_add_func("/publish/courier/rejected-messages-leave", rejected_messages_leave);
  g_test_add_func("/publish/courier/stops-while-it-waits", stops_while_it_waits);
  return g_test_run();
}
