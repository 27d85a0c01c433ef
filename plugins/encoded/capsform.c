#include "capsform.h"

#include "bytes.h"

enum { KIND_INT = 1, KIND_TEXT, KIND_FRACTION, KIND_BOOLEAN, KIND_BYTES, KIND_ARRAY, KIND_UINT };

#define MAX_TEXT 4096

static const gchar *const media_types[] = {"video/x-h264", "video/x-h265", "video/x-av1", "video/x-vp8", "video/x-vp9", "image/jpeg", NULL};

/* ---- writing ---- */

static void put_u32(GByteArray *out, guint32 value) {
  guint8 bytes[4];
  fovea_put_u32(bytes, value);
  g_byte_array_append(out, bytes, sizeof bytes);
}

static void put_short_text(GByteArray *out, const gchar *text) {
  guint8 length = (guint8)strlen(text);
  g_byte_array_append(out, &length, 1);
  g_byte_array_append(out, (const guint8 *)text, length);
}

static void put_buffer(GByteArray *out, GstBuffer *buffer, gboolean with_length) {
  GstMapInfo map;
  if (!buffer || !gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    if (with_length)
      put_u32(out, 0);
    return;
  }
  if (with_length)
    put_u32(out, (guint32)map.size);
  g_byte_array_append(out, map.data, (guint)map.size);
  gst_buffer_unmap(buffer, &map);
}

static gboolean is_array_of_buffers(const GValue *value) {
  gboolean all = GST_VALUE_HOLDS_ARRAY(value);
  for (guint i = 0; all && i < gst_value_array_get_size(value); i++) all = GST_VALUE_HOLDS_BUFFER(gst_value_array_get_value(value, i));
  return all;
}

static guint8 kind_of(const GValue *value) {
  if (G_VALUE_HOLDS_INT(value))
    return KIND_INT;
  if (G_VALUE_HOLDS_STRING(value) && g_value_get_string(value) && strlen(g_value_get_string(value)) <= MAX_TEXT)
    return KIND_TEXT;
  if (GST_VALUE_HOLDS_FRACTION(value))
    return KIND_FRACTION;
  if (G_VALUE_HOLDS_BOOLEAN(value))
    return KIND_BOOLEAN;
  if (GST_VALUE_HOLDS_BUFFER(value))
    return KIND_BYTES;
  if (G_VALUE_HOLDS_UINT(value))
    return KIND_UINT;
  return is_array_of_buffers(value) ? KIND_ARRAY : 0;
}

static void put_value(GByteArray *out, guint8 kind, const GValue *value) {
  guint8 boolean;
  switch (kind) {
    case KIND_INT: put_u32(out, (guint32)g_value_get_int(value)); break;
    case KIND_UINT: put_u32(out, g_value_get_uint(value)); break;
    case KIND_TEXT: g_byte_array_append(out, (const guint8 *)g_value_get_string(value), (guint)strlen(g_value_get_string(value))); break;
    case KIND_FRACTION:
      put_u32(out, (guint32)gst_value_get_fraction_numerator(value));
      put_u32(out, (guint32)gst_value_get_fraction_denominator(value));
      break;
    case KIND_BOOLEAN:
      boolean = g_value_get_boolean(value) ? 1 : 0;
      g_byte_array_append(out, &boolean, 1);
      break;
    case KIND_BYTES: put_buffer(out, gst_value_get_buffer(value), FALSE); break;
    default:
      for (guint i = 0; i < gst_value_array_get_size(value); i++) put_buffer(out, gst_value_get_buffer(gst_value_array_get_value(value, i)), TRUE);
  }
}

static gboolean put_field(GQuark field, const GValue *value, gpointer user) {
  GByteArray *out = user;
  const gchar *name = g_quark_to_string(field);
  guint8 kind = strlen(name) <= G_MAXUINT8 ? kind_of(value) : 0;
  if (!kind)
    return TRUE;
  g_byte_array_append(out, &kind, 1);
  put_short_text(out, name);
  guint at = out->len;
  put_u32(out, 0);
  put_value(out, kind, value);
  fovea_put_u32(out->data + at, out->len - at - 4);
  return TRUE;
}

void fovea_caps_encode(const GstCaps *caps, GByteArray *out) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  put_short_text(out, gst_structure_get_name(structure));
  gst_structure_foreach(structure, put_field, out);
}

/* ---- reading ---- */

typedef struct Bytes {
  const guint8 *at;
  gsize left;
} Bytes;

static gboolean take(Bytes *bytes, gsize size, Bytes *ret_part) {
  if (size > bytes->left)
    return FALSE;
  *ret_part = (Bytes){bytes->at, size};
  bytes->at += size;
  bytes->left -= size;
  return TRUE;
}

static gboolean take_u32(Bytes *bytes, guint32 *ret_value) {
  Bytes part;
  if (!take(bytes, 4, &part))
    return FALSE;
  *ret_value = fovea_get_u32(part.at);
  return TRUE;
}

/* Text without NUL, to be freed, or NULL. */
static gchar *text_of(Bytes part) {
  gboolean good = part.left <= MAX_TEXT && !memchr(part.at, 0, part.left) && g_utf8_validate((const gchar *)part.at, (gssize)part.left, NULL);
  return good ? g_strndup((const gchar *)part.at, part.left) : NULL;
}

static gchar *take_short_text(Bytes *bytes) {
  Bytes length, part;
  return take(bytes, 1, &length) && length.at[0] > 0 && take(bytes, length.at[0], &part) ? text_of(part) : NULL;
}

static gboolean is_field_name(const gchar *name) {
  return g_ascii_isalpha(name[0]) && strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-") == strlen(name);
}

static void set_buffer(GValue *value, Bytes part) {
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, part.left, NULL);
  gst_buffer_fill(buffer, 0, part.at, part.left);
  g_value_init(value, GST_TYPE_BUFFER);
  gst_value_take_buffer(value, buffer);
}

static gboolean read_array(Bytes part, GValue *value) {
  g_value_init(value, GST_TYPE_ARRAY);
  while (part.left > 0) {
    guint32 size;
    Bytes piece;
    GValue item = G_VALUE_INIT;
    if (!take_u32(&part, &size) || !take(&part, size, &piece))
      return FALSE;
    set_buffer(&item, piece);
    gst_value_array_append_and_take_value(value, &item);
  }
  return TRUE;
}

static gboolean read_numbers(guint8 kind, Bytes part, GValue *value) {
  guint32 first = 0, second = 1;
  if (!take_u32(&part, &first) || (kind == KIND_FRACTION && !take_u32(&part, &second)) || part.left > 0)
    return FALSE;
  if (kind == KIND_FRACTION) {
    if ((gint32)first == G_MININT32 || (gint32)second <= 0)
      return FALSE;
    g_value_init(value, GST_TYPE_FRACTION);
    gst_value_set_fraction(value, (gint32)first, (gint32)second);
  } else if (kind == KIND_INT) {
    g_value_init(value, G_TYPE_INT);
    g_value_set_int(value, (gint32)first);
  } else {
    g_value_init(value, G_TYPE_UINT);
    g_value_set_uint(value, first);
  }
  return TRUE;
}

static gboolean read_value(guint8 kind, Bytes part, GValue *value) {
  gchar *text;
  switch (kind) {
    case KIND_INT:
    case KIND_UINT:
    case KIND_FRACTION: return read_numbers(kind, part, value);
    case KIND_TEXT:
      if (!(text = text_of(part)))
        return FALSE;
      g_value_init(value, G_TYPE_STRING);
      g_value_take_string(value, text);
      return TRUE;
    case KIND_BOOLEAN:
      if (part.left != 1 || part.at[0] > 1)
        return FALSE;
      g_value_init(value, G_TYPE_BOOLEAN);
      g_value_set_boolean(value, part.at[0]);
      return TRUE;
    case KIND_BYTES: set_buffer(value, part); return TRUE;
    case KIND_ARRAY: return read_array(part, value);
    default: return FALSE;
  }
}

static gboolean read_field(Bytes *bytes, GstStructure *structure) {
  Bytes kind, part;
  guint32 size;
  GValue value = G_VALUE_INIT;
  gchar *name = take(bytes, 1, &kind) ? take_short_text(bytes) : NULL;
  gboolean good = name && is_field_name(name) && take_u32(bytes, &size) && take(bytes, size, &part) && read_value(kind.at[0], part, &value);
  if (good)
    gst_structure_take_value(structure, name, &value);
  else if (G_IS_VALUE(&value))
    g_value_unset(&value);
  g_free(name);
  return good;
}

GstCaps *fovea_caps_decode(const guint8 *data, gsize size) {
  Bytes bytes = {data, size};
  gchar *name = take_short_text(&bytes);
  GstStructure *structure = name && g_strv_contains(media_types, name) ? gst_structure_new_empty(name) : NULL;
  gboolean good = structure != NULL;
  while (good && bytes.left > 0) good = read_field(&bytes, structure);
  g_free(name);
  if (good)
    return gst_caps_new_full(structure, NULL);
  g_clear_pointer(&structure, gst_structure_free);
  return NULL;
}
