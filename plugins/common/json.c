#include "json.h"

#include <math.h>

static void append_escaped(GString *line, const gchar *text) {
  for (const guchar *c = (const guchar *)text; *c; c++) {
    switch (*c) {
      case '"': g_string_append(line, "\\\""); break;
      case '\\': g_string_append(line, "\\\\"); break;
      case '\n': g_string_append(line, "\\n"); break;
      case '\r': g_string_append(line, "\\r"); break;
      case '\t': g_string_append(line, "\\t"); break;
      default:
        if (*c < 0x20 || *c == 0x7f)
          g_string_append_printf(line, "\\u%04x", *c);
        else
          g_string_append_c(line, (gchar)*c);
    }
  }
}

void fovea_json_append_string(GString *line, const gchar *text) {
  g_string_append_c(line, '"');
  if (g_utf8_validate(text, -1, NULL)) {
    append_escaped(line, text);
  } else {
    gchar *valid = g_utf8_make_valid(text, -1);
    append_escaped(line, valid);
    g_free(valid);
  }
  g_string_append_c(line, '"');
}

/* JSON has no infinities and no NaN. */
void fovea_json_append_number(GString *line, const gchar *format, gdouble number) {
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append(line, isfinite(number) ? g_ascii_formatd(text, sizeof(text), format, number) : "0");
}

void fovea_json_append_time(GString *line, const gchar *name, gint64 utc) {
  GDateTime *second = g_date_time_new_from_unix_utc(utc / G_USEC_PER_SEC);
  gchar *text = second ? g_date_time_format(second, "%Y-%m-%dT%H:%M:%S") : NULL;
  if (text)
    g_string_append_printf(line, ",\"%s\":\"%s.%06dZ\"", name, text, (gint)(utc % G_USEC_PER_SEC));
  g_free(text);
  g_clear_pointer(&second, g_date_time_unref);
}

static void append_landmarks(GString *line, const FoveaObject *object) {
  g_string_append(line, ",\"landmarks\":[");
  for (gint i = 0; i < object->landmark_count; i++) {
    g_string_append(line, i ? ",[" : "[");
    fovea_json_append_number(line, "%.1f", object->landmarks[i][0]);
    g_string_append_c(line, ',');
    fovea_json_append_number(line, "%.1f", object->landmarks[i][1]);
    g_string_append_c(line, ']');
  }
  g_string_append_c(line, ']');
}

void fovea_json_append_detection(GString *line, const FoveaObject *object, gint width, gint height) {
  g_string_append(line, "\"detection\":{\"label\":");
  fovea_json_append_string(line, object->label);
  if (object->label_id >= 0)
    g_string_append_printf(line, ",\"label_id\":%d", object->label_id);
  if (object->confidence >= 0.0f) {
    g_string_append(line, ",\"confidence\":");
    fovea_json_append_number(line, "%.4g", object->confidence);
  }
  const gdouble w = MAX(width, 1), h = MAX(height, 1);
  const struct {
    const gchar *name;
    gdouble value;
  } sides[] = {
    {",\"bounding_box\":{\"x_min\":", object->x0 / w},
    {",\"y_min\":", object->y0 / h},
    {",\"x_max\":", object->x1 / w},
    {",\"y_max\":", object->y1 / h},
  };
  for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_string_append(line, sides[i].name);
    fovea_json_append_number(line, "%.6g", sides[i].value);
  }
  g_string_append(line, "}}");
}

static void append_object(GString *line, const FoveaObject *object, gint width, gint height) {
  g_string_append_c(line, '{');
  if (object->id >= 0)
    g_string_append_printf(line, "\"id\":%" G_GINT64_FORMAT ",", object->id);
  glong x = lrintf(object->x0), y = lrintf(object->y0);
  g_string_append_printf(line, "\"x\":%ld,\"y\":%ld,\"w\":%ld,\"h\":%ld,\"roi_type\":", x, y, lrintf(object->x1) - x,
                         lrintf(object->y1) - y);
  fovea_json_append_string(line, object->label);
  g_string_append_c(line, ',');
  fovea_json_append_detection(line, object, width, height);
  if (object->landmark_count > 0)
    append_landmarks(line, object);
  g_string_append_c(line, '}');
}

void fovea_json_append_model(GString *line, const gchar *name, const gchar *sha256) {
  g_string_append(line, ",\"model\":{\"name\":");
  fovea_json_append_string(line, name);
  if (sha256) {
    g_string_append(line, ",\"sha256\":");
    fovea_json_append_string(line, sha256);
  }
  g_string_append_c(line, '}');
}

void fovea_json_append_record(GString *line, const FoveaRecord *record) {
  g_string_append(line, "{\"schema\":\"" FOVEA_FRAME_SCHEMA "\"");
  if (record->id) {
    g_string_append(line, ",\"id\":");
    fovea_json_append_string(line, record->id);
  }
  g_string_append(line, ",\"source\":");
  fovea_json_append_string(line, record->source ? record->source : "");
  g_string_append_printf(line, ",\"seq\":%" G_GUINT64_FORMAT ",\"timestamp\":", record->seq);
  if (GST_CLOCK_TIME_IS_VALID(record->timestamp))
    g_string_append_printf(line, "%" G_GUINT64_FORMAT, record->timestamp);
  else
    g_string_append(line, "null");
  if (record->utc >= 0)
    fovea_json_append_time(line, "utc", record->utc);
  g_string_append(line, ",\"clock\":");
  fovea_json_append_string(line, record->clock ? record->clock : "none");
  g_string_append_printf(line, ",\"resolution\":{\"width\":%d,\"height\":%d}", record->width, record->height);
  if (record->model)
    fovea_json_append_model(line, record->model, record->model_sha256);
  if (record->latency_ms >= 0.0) {
    g_string_append(line, ",\"latency_ms\":");
    fovea_json_append_number(line, "%.3f", record->latency_ms);
  }
  g_string_append_printf(line, ",\"gap\":%s,\"analysed\":%s,\"objects\":[", record->gap ? "true" : "false",
                         record->analysed ? "true" : "false");
  for (guint i = 0; i < record->object_count; i++) {
    if (i)
      g_string_append_c(line, ',');
    append_object(line, &record->objects[i], record->width, record->height);
  }
  g_string_append(line, "]}\n");
}
