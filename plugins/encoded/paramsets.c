#include "paramsets.h"

#include <string.h>

#define MAX_SETS 65536 /* bytes before the first picture that are looked at */

typedef enum Unit { UNIT_OTHER, UNIT_SET, UNIT_PICTURE } Unit;

static Unit kind_of(guint8 header, gboolean h265) {
  guint type = h265 ? (header >> 1) & 0x3f : header & 0x1f;
  if (h265)
    return type < 32 ? UNIT_PICTURE : type <= 34 ? UNIT_SET : UNIT_OTHER; /* VPS, SPS, PPS */
  return type >= 1 && type <= 5 ? UNIT_PICTURE : type == 7 || type == 8 || type == 13 ? UNIT_SET : UNIT_OTHER;
}

/* The next 00 00 01 at or behind `at`; size: none. */
static gsize find_start(const guint8 *data, gsize at, gsize size) {
  while (at + 3 <= size && !(data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1)) at++;
  return at + 3 <= size ? at : size;
}

/* The parameter sets before the first picture, or NULL. */
static GstBuffer *read_sets(const guint8 *data, gsize size, gboolean h265) {
  GByteArray *sets = g_byte_array_new();
  size = MIN(size, MAX_SETS);
  for (gsize at = find_start(data, 0, size), next; at + 3 < size; at = next) {
    Unit kind = kind_of(data[at + 3], h265);
    next = find_start(data, at + 3, size);
    if (kind == UNIT_PICTURE)
      break;
    gsize end = next;
    while (end > at + 4 && data[end - 1] == 0) end--; /* the zeroes before a start code are not the unit's */
    if (kind == UNIT_SET && next < size) {
      g_byte_array_append(sets, (const guint8 *)"\0", 1);
      g_byte_array_append(sets, data + at, (guint)(end - at));
    }
  }
  if (sets->len == 0) {
    g_byte_array_unref(sets);
    return NULL;
  }
  return gst_buffer_new_wrapped_bytes(g_byte_array_free_to_bytes(sets));
}

static void note_caps(FoveaParamSets *known, GstCaps *caps) {
  if (known->caps == caps)
    return;
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  gst_caps_replace(&known->caps, caps);
  known->h265 = gst_structure_has_name(structure, "video/x-h265");
  known->wanted = g_strcmp0(gst_structure_get_string(structure, "stream-format"), "byte-stream") == 0;
}

static void prepend(FoveaFrame *frame, GstBuffer *sets) {
  GstBuffer *whole = gst_buffer_copy(sets);
  gst_buffer_copy_into(whole, frame->buffer, GST_BUFFER_COPY_METADATA, 0, (gsize)-1);
  gst_buffer_copy_into(whole, frame->buffer, GST_BUFFER_COPY_MEMORY, 0, (gsize)-1);
  gst_buffer_unref(frame->buffer);
  frame->buffer = whole;
}

void fovea_param_sets_complete(FoveaParamSets *known, FoveaFrame *frame, GstCaps *caps) {
  GstMapInfo map;
  note_caps(known, caps);
  if (!known->wanted || !fovea_frame_is_key(frame) || !gst_buffer_map(frame->buffer, &map, GST_MAP_READ))
    return;
  GstBuffer *sets = read_sets(map.data, map.size, known->h265);
  gst_buffer_unmap(frame->buffer, &map);
  if (sets) {
    gst_clear_buffer(&known->sets);
    known->sets = sets;
  } else if (known->sets)
    prepend(frame, known->sets);
}

void fovea_param_sets_clear(FoveaParamSets *known) {
  gst_clear_caps(&known->caps);
  gst_clear_buffer(&known->sets);
  known->wanted = FALSE;
}
