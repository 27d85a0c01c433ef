#include "support.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <locale.h>

#include "common/framerecord.h"

static JsonObject *parse_line(const gchar *line) {
  GError *error = NULL;
  JsonNode *node = json_from_string(line, &error);
  g_assert_no_error(error);
  g_assert_true(JSON_NODE_HOLDS_OBJECT(node));
  JsonObject *object = json_object_ref(json_node_get_object(node));
  json_node_unref(node);
  return object;
}

/* What of JSON Schema our schema uses: required, properties, items, additionalProperties: false. */
static void check_schema(JsonObject *schema, JsonNode *node) {
  if (json_object_has_member(schema, "items")) {
    JsonArray *array = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(array); i++)
      check_schema(json_object_get_object_member(schema, "items"), json_array_get_element(array, i));
  }
  if (!json_object_has_member(schema, "properties"))
    return;
  g_assert_true(JSON_NODE_HOLDS_OBJECT(node));
  JsonObject *object = json_node_get_object(node), *properties = json_object_get_object_member(schema, "properties");
  JsonArray *required = json_object_get_array_member(schema, "required");
  for (guint i = 0; i < json_array_get_length(required); i++)
    g_assert_true(json_object_has_member(object, json_array_get_string_element(required, i)));
  GList *members = json_object_get_members(object);
  for (GList *member = members; member; member = member->next) {
    g_assert_true(json_object_has_member(properties, member->data));
    check_schema(json_object_get_object_member(properties, member->data), json_object_get_member(object, member->data));
  }
  g_list_free(members);
}

static void assert_follows_schema(JsonObject *record) {
  GError *error = NULL;
  gchar *path = g_build_filename(g_getenv("FOVEA_SOURCE_DIR"), "configs", "schemas", "fovea.frame-1.json", NULL);
  JsonParser *parser = json_parser_new();
  json_parser_load_from_file(parser, path, &error);
  g_assert_no_error(error);
  JsonNode *node = json_node_alloc();
  json_node_init_object(node, record);
  check_schema(json_node_get_object(json_parser_get_root(parser)), node);
  json_node_unref(node);
  g_object_unref(parser);
  g_free(path);
}

static gchar **publish(const gchar *properties, const guint8 *brightness, guint count) {
  gchar *directory = g_dir_make_tmp("fovea-publish-XXXXXX", NULL), *path = g_build_filename(directory, "out.jsonl", NULL),
        *text = NULL;
  gchar *launch = g_strdup_printf("! foveapublish name=publisher file-path=%s %s", path, properties);
  GstHarness *harness = test_detector(launch);
  test_set_caps(harness, "NV12", 64, 48);
  for (guint i = 0; i < count; i++) {
    gst_harness_push(harness, test_frame(GST_VIDEO_FORMAT_NV12, 64, 48, brightness[i], i * 40 * GST_MSECOND));
    gst_buffer_unref(gst_harness_pull(harness));
  }
  gst_harness_teardown(harness);
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_true(*text == '\0' || g_str_has_suffix(text, "\n"));
  gchar **lines = g_strsplit(g_strchomp(text), "\n", -1);
  g_unlink(path);
  g_rmdir(directory);
  g_free(text);
  g_free(launch);
  g_free(path);
  g_free(directory);
  return lines;
}

static void writes_one_object_a_frame(void) {
  const guint8 brightness[] = {255, 0, 255};
  gchar **lines = publish("source=gate", brightness, 3);
  g_assert_cmpuint(g_strv_length(lines), ==, 3);
  for (guint i = 0; i < 3; i++) {
    JsonObject *record = parse_line(lines[i]);
    assert_follows_schema(record);
    g_assert_cmpstr(json_object_get_string_member(record, "schema"), ==, FOVEA_FRAME_SCHEMA);
    g_assert_cmpstr(json_object_get_string_member(record, "source"), ==, "gate");
    g_assert_cmpint(json_object_get_int_member(record, "seq"), ==, i);
    g_assert_cmpint(json_object_get_int_member(record, "timestamp"), ==, i * 40 * GST_MSECOND);
    g_assert_cmpstr(json_object_get_string_member(record, "clock"), ==, "none");
    g_assert_cmpstr(json_object_get_string_member(json_object_get_object_member(record, "model"), "name"), ==, "tiny");
    JsonArray *objects = json_object_get_array_member(record, "objects");
    g_assert_cmpuint(json_array_get_length(objects), ==, brightness[i] ? 2 : 0);
    if (brightness[i]) {
      JsonObject *object = json_array_get_object_element(objects, 0),
                 *detection = json_object_get_object_member(object, "detection");
      g_assert_cmpint(json_object_get_int_member(object, "x"), ==, 16);
      g_assert_cmpint(json_object_get_int_member(object, "w"), ==, 32);
      g_assert_cmpstr(json_object_get_string_member(object, "roi_type"), ==, "square");
      g_assert_cmpint(json_object_get_int_member(detection, "label_id"), ==, 0);
      g_assert_cmpfloat_with_epsilon(json_object_get_double_member(detection, "confidence"), 0.9, 0.02);
      g_assert_cmpfloat_with_epsilon(
        json_object_get_double_member(json_object_get_object_member(detection, "bounding_box"), "x_max"), 0.75, 0.02);
    }
    json_object_unref(record);
  }
  g_strfreev(lines);
}

static void leaves_out_empty_frames_when_told(void) {
  const guint8 brightness[] = {255, 0, 255};
  gchar **lines = publish("include-empty=false", brightness, 3);
  g_assert_cmpuint(g_strv_length(lines), ==, 2);
  g_strfreev(lines);
}

/* Quotes, control characters, bytes that are no text, infinities: every line is still one JSON object. */
static void writes_anything_as_json(void) {
  FoveaObject object = {.x0 = -5,
                        .y0 = 1e30f,
                        .x1 = 0.0f / 1.0f,
                        .y1 = -1e30f,
                        .confidence = 0.5f,
                        .label_id = 1,
                        .id = G_MAXINT64,
                        .landmark_count = 1};
  object.label = "a \"b\"\\ \n\t\x01\x7f \xff\xfe \xe2\x82\xac";
  object.landmarks[0][0] = (gfloat)G_MAXDOUBLE; /* infinite */
  FoveaRecord record = {.source = "caf\xc3\xa9\r",
                        .seq = G_MAXUINT64,
                        .timestamp = GST_CLOCK_TIME_NONE,
                        .utc = 1787307330123456,
                        .clock = "system",
                        .width = 0,
                        .height = 0,
                        .model = "m",
                        .model_sha256 = "00",
                        .latency_ms = 11.8,
                        .gap = TRUE,
                        .analysed = TRUE,
                        .objects = &object,
                        .object_count = 1};
  GString *line = g_string_new(NULL);
  fovea_json_append_record(line, &record);
  g_assert_cmpuint(strcspn(line->str, "\n"), ==, line->len - 1);
  JsonObject *parsed = parse_line(line->str);
  assert_follows_schema(parsed);
  g_assert_cmpstr(json_object_get_string_member(parsed, "utc"), ==, "2026-08-21T10:15:30.123456Z");
  g_assert_cmpstr(json_object_get_string_member(parsed, "source"), ==, "caf\xc3\xa9\r");
  JsonObject *first = json_array_get_object_element(json_object_get_array_member(parsed, "objects"), 0);
  g_assert_cmpstr(json_object_get_string_member(first, "roi_type"), ==,
                  "a \"b\"\\ \n\t\x01\x7f \xef\xbf\xbd\xef\xbf\xbd \xe2\x82\xac");
  json_object_unref(parsed);
  g_string_free(line, TRUE);
}

static void numbers_do_not_follow_the_locale(void) {
  const gchar *comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
  gboolean set = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(comma) && !set; i++)
    set = setlocale(LC_NUMERIC, comma[i]) != NULL;
  if (!set) {
    g_test_skip("no locale with a decimal comma is installed");
    return;
  }
  FoveaRecord record = {.timestamp = 0, .utc = -1, .latency_ms = 1.5};
  GString *line = g_string_new(NULL);
  fovea_json_append_record(line, &record);
  g_assert_nonnull(strstr(line->str, "\"latency_ms\":1.500"));
  setlocale(LC_NUMERIC, "C");
  g_string_free(line, TRUE);
}

static GstMessage *start_publisher(const gchar *properties, GstStateChangeReturn *ret_change) {
  gchar *launch = g_strdup_printf("fakesrc ! video/x-raw,width=8,height=8,format=RGB ! foveapublish %s ! fakesink", properties);
  GstElement *pipeline = gst_parse_launch(launch, NULL);
  *ret_change = gst_element_set_state(pipeline, GST_STATE_PAUSED);
  GstBus *bus = gst_element_get_bus(pipeline);
  GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
  g_free(launch);
  return message;
}

static void unwritable_file_is_an_error(void) {
  const gchar *properties[] = {"file-path=/nowhere/out.jsonl", "method=file"};
  const gchar *says[] = {"/nowhere/out.jsonl", "file-path"};
  for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
    GstStateChangeReturn change;
    GstMessage *message = start_publisher(properties[i], &change);
    GError *error = NULL;
    g_assert_cmpint(change, ==, GST_STATE_CHANGE_FAILURE);
    g_assert_nonnull(message);
    gst_message_parse_error(message, &error, NULL);
    g_assert_nonnull(strstr(error->message, says[i]));
    g_error_free(error);
    gst_message_unref(message);
  }
}

/* A full disk does not stop the stream: one warning, the lines wait, and what is lost in the end is counted. */
static void full_disk_does_not_stop_the_stream(void) {
  if (g_access("/dev/full", W_OK) != 0) {
    g_test_skip("no /dev/full here");
    return;
  }
  GstHarness *harness = test_detector("! foveapublish name=publisher drain-timeout=20 file-path=/dev/full");
  test_set_caps(harness, "NV12", 64, 48);
  GstElement *publisher = test_find(harness, "publisher");
  GstBus *bus = gst_bus_new();
  gst_element_set_bus(publisher, bus);
  for (guint i = 0; i < 5; i++) {
    g_assert_cmpint(gst_harness_push(harness, test_frame(GST_VIDEO_FORMAT_NV12, 64, 48, 255, i * 40 * GST_MSECOND)), ==,
                    GST_FLOW_OK);
    gst_buffer_unref(gst_harness_pull(harness));
  }
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 10 * GST_SECOND, GST_MESSAGE_WARNING);
  g_assert_nonnull(message);
  gst_message_unref(message);
  g_assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING));
  g_assert_cmpuint(test_stat(publisher, "pending"), ==, 5);
  g_assert_cmpuint(test_stat(publisher, "written"), ==, 0);
  gst_element_set_locked_state(publisher, TRUE); /* its bus is ours until it has said what was lost */
  gst_element_set_state(publisher, GST_STATE_NULL);
  message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
  g_assert_nonnull(message);
  gst_message_unref(message);
  g_assert_cmpuint(test_stat(publisher, "failed"), ==, 5);
  gst_element_set_bus(publisher, NULL);
  gst_object_unref(bus);
  gst_harness_teardown(harness);
  gst_object_unref(publisher);
}

/* A source that stamps frames with wall-clock time is believed over our own clock; a discontinuity is a gap. */
static void wall_clock_and_gaps_are_told(void) {
  gchar *directory = g_dir_make_tmp("fovea-publish-XXXXXX", NULL), *path = g_build_filename(directory, "out.jsonl", NULL),
        *text = NULL;
  gchar *launch = g_strdup_printf("foveapublish file-path=%s", path);
  GstHarness *harness = gst_harness_new_parse(launch);
  test_set_caps(harness, "NV12", 64, 48);
  GstCaps *reference = gst_caps_new_empty_simple("timestamp/x-unix");
  for (guint i = 0; i < 2; i++) {
    GstBuffer *buffer = test_frame(GST_VIDEO_FORMAT_NV12, 64, 48, 0, i * 40 * GST_MSECOND);
    gst_buffer_add_reference_timestamp_meta(buffer, reference, 1787307330 * GST_SECOND + 123456789, GST_CLOCK_TIME_NONE);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push(harness, buffer);
    gst_buffer_unref(gst_harness_pull(harness));
  }
  gst_harness_teardown(harness);
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  gchar **lines = g_strsplit(text, "\n", -1);
  for (guint i = 0; i < 2; i++) {
    JsonObject *record = parse_line(lines[i]);
    g_assert_cmpstr(json_object_get_string_member(record, "utc"), ==, "2026-08-21T10:15:30.123456Z");
    g_assert_cmpstr(json_object_get_string_member(record, "clock"), ==, "ntp");
    g_assert_cmpint(json_object_get_boolean_member(record, "gap"), ==, i > 0); /* every stream begins with one */
    g_assert_false(json_object_has_member(record, "model"));
    json_object_unref(record);
  }
  g_strfreev(lines);
  gst_caps_unref(reference);
  g_unlink(path);
  g_rmdir(directory);
  g_free(text);
  g_free(launch);
  g_free(path);
  g_free(directory);
}

/* Without a stamp of the source, UTC comes from the clock of a live pipeline, and from nothing else. */
static void only_live_frames_are_dated_by_the_clock(void) {
  GstElement *element = gst_object_ref_sink(gst_element_factory_make("fakesink", NULL));
  GstClock *clock = gst_system_clock_obtain();
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  GstBuffer *buffer = test_frame(GST_VIDEO_FORMAT_NV12, 64, 48, 0, 5 * GST_SECOND);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.position = 2 * GST_SECOND; /* the frame runs at 3 s */
  segment.time = 0;
  gst_element_set_clock(element, clock);
  gst_element_set_base_time(element, gst_clock_get_time(clock) - 3 * GST_SECOND);
  FoveaFrameContext context = {.source = "gate", .width = 64, .height = 48, .segment = &segment, .element = element, .live = TRUE, .seq = 7};
  FoveaRecord record;
  fovea_frame_record(buffer, &context, objects, &record);
  g_assert_cmpstr(record.source, ==, "gate");
  g_assert_cmpstr(record.clock, ==, "system");
  g_assert_cmpint(ABS(record.utc - g_get_real_time()), <, G_USEC_PER_SEC * 60);
  g_assert_cmpuint(record.timestamp, ==, 3 * GST_SECOND);
  g_assert_cmpuint(record.seq, ==, 7);
  context.live = FALSE;
  fovea_frame_record(buffer, &context, objects, &record);
  g_assert_cmpint(record.utc, ==, -1);
  context.live = TRUE;
  context.element = NULL;
  fovea_frame_record(buffer, &context, objects, &record);
  g_assert_cmpint(record.utc, ==, -1);
  gst_buffer_unref(buffer);
  g_array_unref(objects);
  gst_object_unref(clock);
  gst_object_unref(element);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/plugins/publish/writes-one-object-a-frame", writes_one_object_a_frame);
  g_test_add_func("/plugins/publish/leaves-out-empty-frames-when-told", leaves_out_empty_frames_when_told);
  g_test_add_func("/plugins/publish/wall-clock-and-gaps-are-told", wall_clock_and_gaps_are_told);
  g_test_add_func("/plugins/publish/only-live-frames-are-dated-by-the-clock", only_live_frames_are_dated_by_the_clock);
  g_test_add_func("/plugins/publish/unwritable-file-is-an-error", unwritable_file_is_an_error);
  g_test_add_func("/plugins/publish/full-disk-does-not-stop-the-stream", full_disk_does_not_stop_the_stream);
  g_test_add_func("/plugins/json/writes-anything-as-json", writes_anything_as_json);
  g_test_add_func("/plugins/json/numbers-do-not-follow-the-locale", numbers_do_not_follow_the_locale);
  return g_test_run();
}
