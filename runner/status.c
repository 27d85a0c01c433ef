#include "status.h"

#include <math.h>

#include "common/json.h"

GstStructure *fv_element_stats(GstElement *element) {
  static const char *const names[] = {"statistics", "stats"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), names[i]);
    if (spec == NULL || G_PARAM_SPEC_VALUE_TYPE(spec) != GST_TYPE_STRUCTURE || !(spec->flags & G_PARAM_READABLE)) continue;
    GstStructure *stats = NULL;
    g_object_get(element, names[i], &stats, NULL);
    return stats;
  }
  return NULL;
}

guint64 fv_stats_count(const GstStructure *stats, const char *field) {
  const GValue *value = gst_structure_get_value(stats, field);
  GValue count = G_VALUE_INIT;
  g_value_init(&count, G_TYPE_UINT64);
  guint64 number = value != NULL && g_value_transform(value, &count) ? g_value_get_uint64(&count) : 0;
  g_value_unset(&count);
  return number;
}

static gboolean append_value(GString *json, const GValue *value) {
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  if (G_VALUE_HOLDS_STRING(value)) {
    const char *text = g_value_get_string(value);
    fovea_json_append_string(json, text != NULL ? text : "");
  } else if (G_VALUE_HOLDS_BOOLEAN(value)) {
    g_string_append(json, g_value_get_boolean(value) ? "true" : "false");
  } else if (G_VALUE_HOLDS_INT(value)) {
    g_string_append_printf(json, "%d", g_value_get_int(value));
  } else if (G_VALUE_HOLDS_UINT(value)) {
    g_string_append_printf(json, "%u", g_value_get_uint(value));
  } else if (G_VALUE_HOLDS_INT64(value)) {
    g_string_append_printf(json, "%" G_GINT64_FORMAT, g_value_get_int64(value));
  } else if (G_VALUE_HOLDS_UINT64(value)) {
    g_string_append_printf(json, "%" G_GUINT64_FORMAT, g_value_get_uint64(value));
  } else if (G_VALUE_HOLDS_ENUM(value)) {
    GEnumClass *class = g_type_class_ref(G_VALUE_TYPE(value));
    const GEnumValue *known = g_enum_get_value(class, g_value_get_enum(value));
    fovea_json_append_string(json, known != NULL ? known->value_nick : "");
    g_type_class_unref(class);
  } else if (G_VALUE_HOLDS_DOUBLE(value) || G_VALUE_HOLDS_FLOAT(value)) {
    double real = G_VALUE_HOLDS_DOUBLE(value) ? g_value_get_double(value) : (double)g_value_get_float(value);
    g_string_append(json, isfinite(real) ? g_ascii_formatd(number, sizeof number, "%.3f", real) : "null");
  } else {
    return FALSE;
  }
  return TRUE;
}

static gboolean append_field(GQuark field, const GValue *value, gpointer user) {
  GString *json = user;
  gsize before = json->len;
  if (json->str[json->len - 1] != '{') g_string_append_c(json, ',');
  fovea_json_append_string(json, g_quark_to_string(field));
  g_string_append_c(json, ':');
  if (!append_value(json, value)) g_string_truncate(json, before);
  return TRUE;
}

static void append_element(GString *json, GstElement *element, const GstStructure *stats) {
  GstElementFactory *factory = gst_element_get_factory(element);
  char *name = gst_object_get_name(GST_OBJECT(element));
  if (json->str[json->len - 1] != '[') g_string_append_c(json, ',');
  g_string_append(json, "{\"name\":");
  fovea_json_append_string(json, name);
  g_string_append(json, ",\"type\":");
  fovea_json_append_string(json, factory != NULL ? GST_OBJECT_NAME(factory) : "");
  g_string_append(json, ",\"stats\":{");
  gst_structure_foreach(stats, append_field, json);
  g_string_append(json, "}}");
  g_free(name);
}

/* In the order of the stream: bins list the element that was added last first. */
void fv_status_append_elements(GString *json, GstElement *pipeline) {
  GST_OBJECT_LOCK(pipeline);
  GList *elements = g_list_copy_deep(GST_BIN_CHILDREN(pipeline), (GCopyFunc)(void (*)(void))gst_object_ref, NULL);
  GST_OBJECT_UNLOCK(pipeline);
  elements = g_list_reverse(elements);
  g_string_append_c(json, '[');
  for (GList *item = elements; item != NULL; item = item->next) {
    GstElementFactory *factory = gst_element_get_factory(item->data);
    gboolean ours = factory != NULL && g_str_has_prefix(GST_OBJECT_NAME(factory), "fovea"); /* others' stats say little, and some are slow to ask */
    GstStructure *stats = ours ? fv_element_stats(item->data) : NULL;
    if (stats != NULL) append_element(json, item->data, stats);
    if (stats != NULL) gst_structure_free(stats);
  }
  g_string_append_c(json, ']');
  g_list_free_full(elements, gst_object_unref);
}
