/* foveaspool over children that hang or fail, and where triggers come from. */
#include <gst/check/gstharness.h>

#include "common/meta.h"
#include "encoded/foveaspool.h"
#include "encoded/link.h"
#include "encoded/trigger.h"

#define LIMIT_US (20 * G_USEC_PER_SEC)

/* ---- an element that misbehaves as told ---- */

typedef enum Place { NOWHERE = 0, IN_STATE, IN_PUSH, IN_STOP, FAILS } Place;
static struct {
  GMutex lock;
  GCond changed;
  Place place;
  gboolean open;  /* nobody is held any more */
  guint inside;   /* calls that are held */
  guint buffers;
} gate;

static void hold(Place here) {
  g_mutex_lock(&gate.lock);
  gate.inside++;
  while (gate.place == here && !gate.open) g_cond_wait(&gate.changed, &gate.lock);
  gate.inside--;
  g_mutex_unlock(&gate.lock);
}

typedef struct { GstElement parent; } TestGate;
typedef struct { GstElementClass parent_class; } TestGateClass;
GType test_gate_get_type(void);
G_DEFINE_TYPE(TestGate, test_gate, GST_TYPE_ELEMENT)

static GstFlowReturn gate_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  gst_buffer_unref(buffer);
  hold(IN_PUSH);
  g_mutex_lock(&gate.lock);
  gate.buffers++;
  gboolean fails = gate.place == FAILS;
  g_mutex_unlock(&gate.lock);
  if (!fails)
    return GST_FLOW_OK;
  GST_ELEMENT_ERROR(parent, RESOURCE, WRITE, ("No way to rtsp://joe:hunter2@far/."), (NULL));
  return GST_FLOW_ERROR;
}

static GstStateChangeReturn gate_change_state(GstElement *element, GstStateChange change) {
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED)
    hold(IN_STATE);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
    hold(IN_STOP);
  return GST_ELEMENT_CLASS(test_gate_parent_class)->change_state(element, change);
}

static GstStaticPadTemplate gate_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void test_gate_init(TestGate *self) {
  GstPad *pad = gst_pad_new_from_static_template(&gate_template, "sink");
  gst_pad_set_chain_function(pad, gate_chain);
  gst_element_add_pad(GST_ELEMENT(self), pad);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
}

static void test_gate_class_init(TestGateClass *klass) {
  GST_ELEMENT_CLASS(klass)->change_state = gate_change_state;
  gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &gate_template);
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Gate", "Sink", "Holds whoever comes", "Fovea");
}

static void set_gate(Place place, gboolean open) {
  g_mutex_lock(&gate.lock);
  gate.place = place;
  gate.open = open;
  gate.buffers = 0;
  g_cond_broadcast(&gate.changed);
  g_mutex_unlock(&gate.lock);
}

static guint gate_buffers(void) {
  g_mutex_lock(&gate.lock);
  guint buffers = gate.buffers;
  g_mutex_unlock(&gate.lock);
  return buffers;
}

/* ---- foveaspool ---- */

static GstHarness *make_spool(const gchar *properties) {
  gchar *launch = g_strdup_printf("testspool sink=testgate retry-min=1 retry-max=5 stall-timeout=100 live-latency=50 drain-timeout=200 trigger-delay=0 %s", properties);
  GstHarness *harness = gst_harness_new_parse(launch);
  gst_harness_set_src_caps_str(harness, "video/x-vp8,width=16,height=16,framerate=25/1");
  g_free(launch);
  return harness;
}

static void push(GstHarness *harness, guint number) {
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, 1000, NULL);
  gst_buffer_memset(buffer, 0, 1, 1000);
  GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_DURATION(buffer) = 40 * GST_MSECOND;
  if (number % 25)
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  g_assert_cmpint(gst_harness_push(harness, buffer), ==, GST_FLOW_OK);
}

static GstElement *find_spool(GstHarness *harness) {
  return GST_IS_BIN(harness->element) ? GST_ELEMENT(GST_BIN_CHILDREN(harness->element)->data) : harness->element;
}

static guint64 stat(GstHarness *harness, const gchar *name) {
  GstStructure *stats = NULL;
  guint64 value = 0;
  g_object_get(find_spool(harness), "stats", &stats, NULL);
  g_assert_true(gst_structure_get_uint64(stats, name, &value));
  gst_structure_free(stats);
  return value;
}

static void push_until(GstHarness *harness, const gchar *name, guint64 least) {
  gint64 until = g_get_monotonic_time() + LIMIT_US;
  static guint number;
  while (stat(harness, name) < least) {
    g_assert_cmpint(g_get_monotonic_time(), <, until);
    push(harness, number++);
    g_usleep(2000);
  }
}

static void wait_none_astray(void) {
  gint64 until = g_get_monotonic_time() + LIMIT_US;
  while (fovea_links_astray() > 0) {
    g_assert_cmpint(g_get_monotonic_time(), <, until);
    g_usleep(5000);
  }
}

/* Whatever it hangs in, the stream goes on, new ones are tried, but not without end, and stopping does not wait for them. */
static void test_hangs(gconstpointer data) {
  set_gate((Place)GPOINTER_TO_INT(data), FALSE);
  GstHarness *harness = make_spool("");
  push_until(harness, "let-go", 3);
  g_assert_cmpuint(fovea_links_astray(), >=, 1);
  for (guint i = 0; i < 300; i++) {
    push(harness, 100000 + i);
    g_usleep(1000);
  }
  g_assert_cmpuint(fovea_links_astray(), <=, 10); /* and the two that may be started at once */
  gst_harness_teardown(harness);
  set_gate(NOWHERE, TRUE);
  wait_none_astray();
}

static void test_hangs_at_stop(void) {
  set_gate(IN_STOP, FALSE);
  GstHarness *harness = make_spool("");
  for (guint number = 0; gate_buffers() == 0; number++) {
    push(harness, number);
    g_usleep(2000);
  }
  gst_harness_teardown(harness);
  g_assert_cmpuint(fovea_links_astray(), ==, 1);
  set_gate(NOWHERE, TRUE);
  wait_none_astray();
}

static gboolean has_secret(const GstStructure *structure) {
  gchar *text = gst_structure_to_string(structure);
  gboolean found = strstr(text, "hunter2") != NULL;
  g_free(text);
  return found;
}

/* Errors become states of the link, with their reason but without secrets, and leave the bin as nothing else. */
static void test_errors_stay_inside(void) {
  guint retrying = 0;
  set_gate(FAILS, FALSE);
  GstBus *bus = gst_bus_new();
  GstHarness *harness = make_spool("");
  gst_element_set_bus(find_spool(harness), bus);
  push_until(harness, "again-gops", 3);
  GstMessage *message;
  while ((message = gst_bus_pop(bus))) {
    const GstStructure *structure = gst_message_get_structure(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), !=, GST_MESSAGE_ERROR);
    g_assert_false(structure && has_secret(structure));
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT && g_strcmp0(gst_structure_get_string(structure, "state"), "retrying") == 0) {
      g_assert_nonnull(strstr(gst_structure_get_string(structure, "reason"), "No way to"));
      retrying++;
    }
    gst_message_unref(message);
  }
  g_assert_cmpuint(retrying, >=, 3);
  gst_element_set_bus(find_spool(harness), NULL);
  gst_harness_teardown(harness);
  gst_object_unref(bus);
  set_gate(NOWHERE, TRUE);
}

/* Texts that are shown carry no passwords. */
static void test_secrets(void) {
  static const struct { const gchar *text, *shown; } cases[] = {
    {"mpegtsmux ! srtsink uri=\"srt://far:9000?passphrase=hunter2&mode=caller\" latency=10", "mpegtsmux ! srtsink uri=\"srt://far:9000?passphrase=***&mode=caller\" latency=10"},
    {"rtspclientsink location=rtsp://joe:hunter2@far/x user-pw=hunter2", "rtspclientsink location=rtsp://joe:***@far/x user-pw=***"},
    {"srtsink passphrase=\"hunter2 and\\\"more\" wait=1", "srtsink passphrase=*** wait=1"},
    {"x password=(string)hunter2 ! y", "x password=*** ! y"},
    {"x264enc keyframes=1 ! mpegtsmux ! tcpclientsink host=far port=1", "x264enc keyframes=1 ! mpegtsmux ! tcpclientsink host=far port=1"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    gchar *shown = fovea_child_describe(cases[i].text), *read = NULL;
    g_assert_cmpstr(shown, ==, cases[i].shown);
    GstElement *spool = gst_element_factory_make("testspool", NULL);
    g_object_set(spool, "sink", cases[i].text, NULL);
    g_object_get(spool, "sink", &read, NULL);
    g_assert_cmpstr(read, ==, cases[i].shown);
    gst_object_unref(spool);
    g_free(shown);
    g_free(read);
  }
}

/* Memory is bounded where there is no link and nowhere to put the video. */
static void test_memory(void) {
  GstHarness *harness = make_spool("queue-bytes=1048576");
  g_object_set(find_spool(harness), "live-latency", 3600000, NULL);
  set_gate(IN_STATE, FALSE);
  gst_element_set_state(find_spool(harness), GST_STATE_READY);
  gst_element_set_state(find_spool(harness), GST_STATE_PLAYING);
  push_until(harness, "dropped-gops", 20);
  set_gate(NOWHERE, TRUE);
  gst_harness_teardown(harness);
  wait_none_astray();
}

/* ---- triggers ---- */

typedef struct Seen {
  gint64 times[32];
  const gchar *labels[32];
  guint count;
} Seen;

static void on_trigger(gpointer user, gint64 time, const gchar *label) {
  Seen *seen = user;
  if (seen->count < G_N_ELEMENTS(seen->times))
    seen->times[seen->count] = time, seen->labels[seen->count] = label;
  seen->count++;
}

/* A person in frame 3, a dog in 5, an unsure person in 7. */
static GstPadProbeReturn add_objects(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  GstBuffer *buffer = GST_PAD_PROBE_INFO_DATA(info) = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  guint frame = (guint)(GST_BUFFER_PTS(buffer) / (100 * GST_MSECOND));
  FoveaObject object = {.x0 = 10, .y0 = 10, .x1 = 30, .y1 = 30, .confidence = frame == 7 ? 0.3f : 0.9f, .label = frame == 5 ? "dog" : "person", .id = -1};
  if (frame == 3 || frame == 5 || frame == 7)
    fovea_meta_write(buffer, FOVEA_META_AUTO, &object, 1, 64, 48);
  return GST_PAD_PROBE_OK;
}

static GstElement *make_branch(void) {
  GstElement *branch = gst_parse_bin_from_description(
    "videotestsrc num-buffers=10 ! video/x-raw,format=RGB,width=64,height=48,framerate=10/1 ! identity name=detector ! fakesink async=false", FALSE, NULL);
  GstElement *detector = gst_bin_get_by_name(GST_BIN(branch), "detector");
  GstPad *pad = gst_element_get_static_pad(detector, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, add_objects, NULL, NULL);
  gst_object_unref(pad);
  gst_object_unref(detector);
  return branch;
}

static Seen watch(gchar *labels, gdouble confidence, gboolean late, guint rounds) {
  Seen seen = {0};
  GstElement *pipeline = gst_pipeline_new(NULL), *owner = gst_element_factory_make("identity", NULL);
  gst_bin_add(GST_BIN(pipeline), owner);
  gst_element_set_locked_state(owner, TRUE);
  FoveaTriggerFilter filter = {(gchar *)"detector", labels, confidence};
  GstElement *branch = make_branch();
  if (!late)
    gst_bin_add(GST_BIN(pipeline), branch);
  FoveaTrigger *trigger = fovea_trigger_start(owner, &filter, on_trigger, &seen);
  for (guint i = 0; i < rounds; i++) {
    if (i > 0)
      branch = make_branch();
    if (i > 0 || late)
      gst_bin_add(GST_BIN(pipeline), branch);
    g_assert_true(fovea_trigger_found(trigger));
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gst_message_unref(gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_object_unref(bus);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bin_remove(GST_BIN(pipeline), branch);
  }
  fovea_trigger_stop(trigger);
  gst_object_unref(pipeline);
  return seen;
}

static void test_trigger(void) {
  Seen seen = watch(NULL, 0, FALSE, 1);
  g_assert_cmpuint(seen.count, ==, 3);
  g_assert_cmpint(seen.times[0], ==, 300 * GST_MSECOND);
  g_assert_cmpstr(seen.labels[1], ==, "dog");
  seen = watch((gchar *)"cat, person", 0, FALSE, 1);
  g_assert_cmpuint(seen.count, ==, 2);
  g_assert_cmpint(seen.times[1], ==, 700 * GST_MSECOND);
  seen = watch((gchar *)"", 0.5, FALSE, 1);
  g_assert_cmpuint(seen.count, ==, 2);
}

/* The element comes after the watching began; it goes, and another of its name comes. */
static void test_trigger_late(void) {
  Seen seen = watch(NULL, 0, TRUE, 3);
  g_assert_cmpuint(seen.count, ==, 9);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  gst_init(&argc, &argv);
  gst_element_register(NULL, "testgate", GST_RANK_NONE, test_gate_get_type());
  gst_element_register(NULL, "testspool", GST_RANK_NONE, GST_TYPE_FOVEA_SPOOL); /* of this program, not of the plugin */
  g_test_add_data_func("/uplink/hangs-in-start", GINT_TO_POINTER(IN_STATE), test_hangs);
  g_test_add_data_func("/uplink/hangs-in-push", GINT_TO_POINTER(IN_PUSH), test_hangs);
  g_test_add_func("/uplink/hangs-at-stop", test_hangs_at_stop);
  g_test_add_func("/uplink/errors-stay-inside", test_errors_stay_inside);
  g_test_add_func("/uplink/secrets", test_secrets);
  g_test_add_func("/uplink/memory", test_memory);
  g_test_add_func("/trigger/filter", test_trigger);
  g_test_add_func("/trigger/late", test_trigger_late);
  return g_test_run();
}
