/* Who is who from frame to frame, and what is told of it. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "publish/events.h"

typedef struct Told {
  FoveaEventKind kind;
  gchar id[40];
  const gchar *label;
  guint64 frames;
  gint64 duration_ms;
  gfloat best;
} Told;

typedef struct Stage {
  FoveaEvents *events;
  GArray *told;
  guint64 seq;
} Stage;

static void on_event(const FoveaEvent *event, gpointer user) {
  Stage *stage = user;
  GString *line = g_string_new(NULL);
  JsonParser *parser = json_parser_new();
  fovea_json_append_event(line, event, "run-1");
  g_assert_true(g_str_has_suffix(line->str, "}\n"));
  g_assert_cmpuint(strcspn(line->str, "\n"), ==, line->len - 1);
  g_assert_true(json_parser_load_from_data(parser, line->str, -1, NULL));
  Told told = {.kind = event->kind, .label = event->object->label, .frames = event->frames, .best = event->best_confidence,
               .duration_ms = (gint64)((event->last_seen - event->first_seen) / GST_MSECOND)};
  g_strlcpy(told.id, event->object_id, sizeof told.id);
  g_array_append_val(stage->told, told);
  g_object_unref(parser);
  g_string_free(line, TRUE);
}

static FoveaObject box(const gchar *label, gfloat x, gfloat y, gfloat confidence, gint64 track) {
  return (FoveaObject){.x0 = x, .y0 = y, .x1 = x + 100, .y1 = y + 100, .confidence = confidence, .label_id = 0, .label = label, .id = track};
}

static void show(Stage *stage, guint ms, gboolean analysed, const FoveaObject *objects, guint count) {
  FoveaRecord record = {.source = "gate", .seq = stage->seq++, .timestamp = ms * GST_MSECOND, .utc = 1787307330000000 + ms * 1000, .clock = "ntp", .width = 640, .height = 480,
                        .latency_ms = -1, .analysed = analysed, .objects = objects, .object_count = count};
  fovea_events_add(stage->events, &record, on_event, stage);
}

static Stage open_stage(guint update_ms, guint timeout_ms) {
  return (Stage){fovea_events_new("0123456789abcdef", update_ms, timeout_ms), g_array_new(FALSE, TRUE, sizeof(Told)), 0};
}

static const Told *told(const Stage *stage, guint i) {
  g_assert_cmpuint(i, <, stage->told->len);
  return &g_array_index(stage->told, Told, i);
}

static void close_stage(Stage *stage) {
  fovea_events_free(stage->events);
  g_array_unref(stage->told);
}

static void object_comes_stays_and_goes(void) {
  Stage stage = open_stage(100, 200);
  for (guint i = 0; i < 6; i++) {
    FoveaObject object = box("person", (gfloat)(10 * i), 0, i == 2 ? 0.9f : 0.5f, -1);
    show(&stage, i * 40, TRUE, &object, 1);
  }
  for (guint i = 6; i < 12; i++) show(&stage, i * 40, TRUE, NULL, 0);
  g_assert_cmpuint(stage.told->len, ==, 3);
  g_assert_cmpint(told(&stage, 0)->kind, ==, FOVEA_EVENT_NEW);
  g_assert_cmpint(told(&stage, 1)->kind, ==, FOVEA_EVENT_UPDATE); /* at 120 ms; the next would be at 220 */
  g_assert_cmpuint(told(&stage, 1)->frames, ==, 4);
  g_assert_cmpint(told(&stage, 2)->kind, ==, FOVEA_EVENT_END);
  g_assert_cmpuint(told(&stage, 2)->frames, ==, 6);
  g_assert_cmpint(told(&stage, 2)->duration_ms, ==, 200);
  g_assert_cmpfloat_with_epsilon(told(&stage, 2)->best, 0.9f, 1e-6);
  for (guint i = 0; i < 3; i++) g_assert_cmpstr(told(&stage, i)->id, ==, "0123456789abcdef-o1");
  close_stage(&stage);
}

static void short_absence_is_no_end(void) {
  Stage stage = open_stage(0, 500);
  FoveaObject object = box("car", 0, 0, 0.5f, -1);
  show(&stage, 0, TRUE, &object, 1);
  show(&stage, 100, TRUE, NULL, 0);
  show(&stage, 400, TRUE, &object, 1);
  show(&stage, 900, TRUE, NULL, 0);
  g_assert_cmpuint(stage.told->len, ==, 1);
  show(&stage, 901, TRUE, NULL, 0);
  g_assert_cmpuint(stage.told->len, ==, 2);
  close_stage(&stage);
}

/* Two that cross are told apart by label, and the larger overlap goes first. */
static void neighbours_keep_their_names(void) {
  Stage stage = open_stage(1, 1000);
  FoveaObject first[] = {box("person", 0, 0, 0.5f, -1), box("person", 60, 0, 0.6f, -1), box("dog", 0, 0, 0.7f, -1)};
  FoveaObject second[] = {box("dog", 5, 0, 0.7f, -1), box("person", 50, 0, 0.6f, -1), box("person", 10, 0, 0.5f, -1)};
  show(&stage, 0, TRUE, first, 3);
  show(&stage, 40, TRUE, second, 3);
  g_assert_cmpuint(stage.told->len, ==, 6);
  for (guint i = 3; i < 6; i++) {
    g_assert_cmpint(told(&stage, i)->kind, ==, FOVEA_EVENT_UPDATE);
    g_assert_cmpstr(told(&stage, i)->id, ==, told(&stage, i - 3)->id);
    g_assert_cmpstr(told(&stage, i)->label, ==, told(&stage, i - 3)->label);
    g_assert_cmpfloat_with_epsilon(told(&stage, i)->best, told(&stage, i - 3)->best, 1e-6);
  }
  close_stage(&stage);
}

static void track_numbers_win_over_places(void) {
  Stage stage = open_stage(1, 1000);
  FoveaObject first[] = {box("person", 0, 0, 0.5f, 7), box("person", 300, 0, 0.5f, 8)}, second[] = {box("person", 300, 0, 0.5f, 7), box("person", 0, 0, 0.5f, 9)};
  show(&stage, 0, TRUE, first, 2);
  show(&stage, 40, TRUE, second, 2);
  g_assert_cmpuint(stage.told->len, ==, 4);
  g_assert_cmpint(told(&stage, 2)->kind, ==, FOVEA_EVENT_UPDATE);
  g_assert_cmpstr(told(&stage, 2)->id, ==, told(&stage, 0)->id);
  g_assert_cmpint(told(&stage, 3)->kind, ==, FOVEA_EVENT_NEW);
  close_stage(&stage);
}

static void repeated_boxes_are_no_sight(void) {
  Stage stage = open_stage(1, 100);
  FoveaObject object = box("person", 0, 0, 0.5f, -1);
  show(&stage, 0, TRUE, &object, 1);
  for (guint i = 1; i < 5; i++) show(&stage, i * 40, FALSE, &object, 1);
  g_assert_cmpuint(stage.told->len, ==, 2);
  g_assert_cmpint(told(&stage, 1)->kind, ==, FOVEA_EVENT_END);
  g_assert_cmpuint(told(&stage, 1)->frames, ==, 1);
  close_stage(&stage);
}

static void end_of_stream_and_seeks_end_everything(void) {
  Stage stage = open_stage(0, 1000);
  FoveaObject object = box("person", 0, 0, 0.5f, -1);
  show(&stage, 5000, TRUE, &object, 1);
  show(&stage, 100, TRUE, &object, 1); /* back in time */
  g_assert_cmpuint(stage.told->len, ==, 3);
  g_assert_cmpint(told(&stage, 1)->kind, ==, FOVEA_EVENT_END);
  g_assert_cmpint(told(&stage, 2)->kind, ==, FOVEA_EVENT_NEW);
  g_assert_cmpstr(told(&stage, 2)->id, !=, told(&stage, 1)->id);
  fovea_events_finish(stage.events, on_event, &stage);
  fovea_events_finish(stage.events, on_event, &stage);
  g_assert_cmpuint(stage.told->len, ==, 4);
  close_stage(&stage);
}

static void odd_boxes_and_crowds_are_harmless(void) {
  Stage stage = open_stage(1, 40);
  FoveaObject *crowd = g_new(FoveaObject, 1500);
  for (guint i = 0; i < 1500; i++) crowd[i] = box(i % 3 ? "a" : "\xff\"", (gfloat)(i * 7), 0, 0.5f, -1);
  crowd[0].x1 = -INFINITY;
  crowd[1].x0 = crowd[1].x1 = crowd[1].y0 = NAN;
  crowd[2].confidence = -1;
  show(&stage, 0, TRUE, crowd, 1500);
  g_assert_cmpuint(stage.told->len, ==, FOVEA_EVENTS_MAX_OBJECTS);
  show(&stage, 40, TRUE, crowd, 1500);
  fovea_events_finish(stage.events, on_event, &stage);
  g_free(crowd);
  close_stage(&stage);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/publish/events/object-comes-stays-and-goes", object_comes_stays_and_goes);
  g_test_add_func("/publish/events/short-absence-is-no-end", short_absence_is_no_end);
  g_test_add_func("/publish/events/neighbours-keep-their-names", neighbours_keep_their_names);
  g_test_add_func("/publish/events/track-numbers-win-over-places", track_numbers_win_over_places);
  g_test_add_func("/publish/events/repeated-boxes-are-no-sight", repeated_boxes_are_no_sight);
  g_test_add_func("/publish/events/end-of-stream-and-seeks-end-everything", end_of_stream_and_seeks_end_everything);
  g_test_add_func("/publish/events/odd-boxes-and-crowds-are-harmless", odd_boxes_and_crowds_are_harmless);
  return g_test_run();
}
