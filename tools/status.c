#include "status.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "compose.h"

/* One camera, gathered from its elements. */
typedef struct Row {
  const char *name, *state, *message;
  double fps, p95; /* p95 in ms, negative: no detector has analysed anything */
  gint64 frames, reconnects, drops;
  GString *outputs;
} Row;

/* --- Reading ----------------------------------------------------------------------------------------------------- */

static gint64 count_of(JsonObject *stats, const char *member) { return json_object_get_int_member_with_default(stats, member, 0); }

static const char *text_of(JsonObject *object, const char *member) { return json_object_get_string_member_with_default(object, member, ""); }

static void read_source(Row *row, JsonObject *stats) {
  row->reconnects += count_of(stats, "reconnects");
  row->drops += count_of(stats, "late");
}

static void read_detector(Row *row, JsonObject *stats) {
  row->drops += count_of(stats, "dropped");
  if (count_of(stats, "analysed") > 0) row->p95 = json_object_get_double_member_with_default(stats, "total-p95-ms", -1);
}

/* "mqtt connected, 12 waiting, 3.1 MB kept, 4 lost" */
static void read_output(Row *row, const char *name, JsonObject *stats) {
  gint64 waiting = count_of(stats, "pending"), kept = count_of(stats, "spool-bytes"), clips = count_of(stats, "clips");
  gint64 lost = count_of(stats, "failed") + count_of(stats, "missed") + count_of(stats, "dropped-gops"); /* records and clips; clips; video */
  const char *state = text_of(stats, "state");
  GString *text = row->outputs;
  g_string_append_printf(text, "%s%s%s%s", text->len > 0 ? "; " : "", g_str_has_prefix(name, FV_OUTPUT_NAME_PREFIX) ? name + strlen(FV_OUTPUT_NAME_PREFIX) : name,
                         *state != '\0' ? " " : "", state);
  if (*state == '\0' && clips == 0 && lost == 0) g_string_append(text, " writes");
  if (clips > 0) g_string_append_printf(text, " %" G_GINT64_FORMAT " clips", clips);
  if (waiting > 0) g_string_append_printf(text, ", %" G_GINT64_FORMAT " waiting", waiting);
  if (waiting > 0 && kept > 0) {
    char *size = g_format_size_full((guint64)kept, G_FORMAT_SIZE_IEC_UNITS);
    g_string_append_printf(text, " (%s)", size);
    g_free(size);
  }
  if (lost > 0) g_string_append_printf(text, ", %" G_GINT64_FORMAT " lost", lost);
}

static void read_element(JsonArray *elements, guint index, JsonNode *node, gpointer user) {
  Row *row = user;
  JsonObject *element = json_node_get_object(node), *stats = json_object_get_object_member(element, "stats");
  const char *type = text_of(element, "type");
  if (g_str_equal(type, "foveasrc"))
    read_source(row, stats);
  else if (g_str_equal(type, "foveadetect"))
    read_detector(row, stats);
  else if (g_str_equal(type, "foveapublish") || g_str_equal(type, "foveaspool") || g_str_equal(type, "foveaclips"))
    read_output(row, text_of(element, "name"), stats);
}

static void read_row(JsonObject *camera, Row *row) {
  *row = (Row){.name = text_of(camera, "name"), .state = text_of(camera, "state"), .message = text_of(camera, "message"), .p95 = -1,
               .fps = json_object_get_double_member_with_default(camera, "fps", 0), .frames = count_of(camera, "frames"),
               .reconnects = count_of(camera, "rebuilds"), .outputs = g_string_new(NULL)};
  if (json_object_has_member(camera, "elements")) json_array_foreach_element(json_object_get_array_member(camera, "elements"), read_element, row);
}

/* --- Writing ----------------------------------------------------------------------------------------------------- */

static void append_line(GString *text, GString *line, guint columns) {
  if (columns > 0 && (guint)g_utf8_strlen(line->str, -1) > columns) {
    char *end = g_utf8_offset_to_pointer(line->str, columns);
    g_string_truncate(line, (gsize)(end - line->str));
  }
  g_string_append_printf(text, "%s\n", g_strchomp(line->str));
  g_string_truncate(line, 0);
}

static void append_table(GString *text, GPtrArray *rows, guint columns) {
  GString *line = g_string_new(NULL);
  int width = 6;
  for (guint i = 0; i < rows->len; i++) width = MAX(width, (int)strlen(((Row *)g_ptr_array_index(rows, i))->name));
  g_string_printf(line, "%-*s  %-8s  %6s  %8s  %10s  %7s  %s", width, "CAMERA", "STATE", "FPS", "P95 MS", "RECONNECTS", "DROPS", "OUTPUTS");
  append_line(text, line, columns);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index(rows, i);
    char p95[32] = "-";
    if (row->p95 >= 0) g_snprintf(p95, sizeof p95, "%.1f", row->p95);
    g_string_printf(line, "%-*s  %-8s  %6.1f  %8s  %10" G_GINT64_FORMAT "  %7" G_GINT64_FORMAT "  %s", width, row->name, row->state, row->fps, p95, row->reconnects, row->drops,
                    row->outputs->str);
    append_line(text, line, columns);
  }
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index(rows, i);
    if (*row->message == '\0') continue;
    g_string_printf(line, "%s: %s", row->name, row->message);
    append_line(text, line, columns);
  }
  g_string_free(line, TRUE);
}

static void append_lines(GString *text, GPtrArray *rows, guint columns) {
  GString *line = g_string_new(NULL);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index(rows, i);
    g_string_printf(line, "%s: status: %s, %" G_GINT64_FORMAT " frames, %.1f fps", row->name, row->state, row->frames, row->fps);
    if (row->p95 >= 0) g_string_append_printf(line, ", p95 %.1f ms", row->p95);
    g_string_append_printf(line, ", %" G_GINT64_FORMAT " reconnects, %" G_GINT64_FORMAT " dropped%s%s", row->reconnects, row->drops, row->outputs->len > 0 ? "; " : "",
                           row->outputs->str);
    append_line(text, line, columns);
  }
  g_string_free(line, TRUE);
}

/* "4 cameras: 3 running, 1 retrying (yard)" */
static void append_summary(GString *text, GPtrArray *rows) {
  static const char *const states[] = {"running", "starting", "retrying", "failed", "finished", "stopped"};
  g_string_append_printf(text, "%u camera%s", rows->len, rows->len == 1 ? "" : "s");
  gboolean first = TRUE;
  for (guint s = 0; s < G_N_ELEMENTS(states); s++) {
    GString *names = g_string_new(NULL);
    int count = 0;
    for (guint i = 0; i < rows->len; i++) {
      const Row *row = g_ptr_array_index(rows, i);
      if (!g_str_equal(row->state, states[s])) continue;
      if (count++ < 5) g_string_append_printf(names, "%s%s", count > 1 ? ", " : "", row->name);
    }
    gboolean named = g_str_equal(states[s], "retrying") || g_str_equal(states[s], "failed");
    if (count > 0) {
      g_string_append_printf(text, "%s%d %s", first ? ": " : ", ", count, states[s]);
      if (named) g_string_append_printf(text, " (%s%s)", names->str, count > 5 ? ", …" : "");
      first = FALSE;
    }
    g_string_free(names, TRUE);
  }
}

static void row_free(gpointer data) {
  Row *row = data;
  g_string_free(row->outputs, TRUE);
  g_free(row);
}

char *fv_status_text(const char *json, FvStatusForm form, guint columns) {
  JsonNode *root = json_from_string(json, NULL);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root) || !json_object_has_member(json_node_get_object(root), "cameras")) {
    g_clear_pointer(&root, json_node_unref);
    return NULL;
  }
  JsonArray *cameras = json_object_get_array_member(json_node_get_object(root), "cameras");
  GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
  for (guint i = 0; i < json_array_get_length(cameras); i++) {
    Row *row = g_new0(Row, 1);
    read_row(json_array_get_object_element(cameras, i), row);
    g_ptr_array_add(rows, row);
  }
  GString *text = g_string_new(NULL);
  switch (form) {
  case FV_STATUS_TABLE: append_table(text, rows, columns); break;
  case FV_STATUS_LINES: append_lines(text, rows, columns); break;
  case FV_STATUS_SUMMARY: append_summary(text, rows); break;
  }
  g_ptr_array_unref(rows);
  json_node_unref(root);
  return g_string_free(text, FALSE);
}
