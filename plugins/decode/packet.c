#include "packet.h"

#include <string.h>

/* --- NAL units --------------------------------------------------------------------------------------------- */

typedef struct NalCursor {
  const guint8 *data, *end;
  guint length_size;
} NalCursor;

/* The byte after the next 00 00 01, or end. */
static const guint8 *after_start_code(const guint8 *data, const guint8 *end) {
  while (end - data >= 3) {
    const guint8 *one = memchr(data + 2, 1, (gsize)(end - data - 2));
    if (!one)
      return end;
    if (one[-1] == 0 && one[-2] == 0)
      return one + 1;
    data = one - 1;
  }
  return end;
}

static gboolean next_prefixed(NalCursor *cursor, const guint8 **ret_nal, gsize *ret_size) {
  if ((gsize)(cursor->end - cursor->data) < cursor->length_size)
    return FALSE;
  gsize size = 0;
  for (guint i = 0; i < cursor->length_size; i++)
    size = size << 8 | *cursor->data++;
  *ret_nal = cursor->data;
  *ret_size = MIN(size, (gsize)(cursor->end - cursor->data));
  cursor->data += *ret_size;
  return TRUE;
}

/* With start codes the size reaches to the end of the data: only the heads of units are read, and the next call finds where this one ended. */
static gboolean next_nal(NalCursor *cursor, const guint8 **ret_nal, gsize *ret_size) {
  if (cursor->length_size)
    return next_prefixed(cursor, ret_nal, ret_size);
  const guint8 *nal = after_start_code(cursor->data, cursor->end);
  if (nal == cursor->end)
    return FALSE;
  *ret_nal = cursor->data = nal;
  *ret_size = (gsize)(cursor->end - nal);
  return TRUE;
}

/* --- H.264 (ITU-T H.264, 7.3.1, 7.3.3) --------------------------------------------------------------------- */

/* An unsigned Exp-Golomb number from bit *at on; G_MAXUINT when there is none. */
static guint read_golomb(const guint8 *data, gsize size, guint *at) {
  guint zeros = 0, value = 0;
  gsize bits = size * 8;
  while (*at < bits && !(data[*at / 8] >> (7 - *at % 8) & 1)) {
    zeros++;
    ++*at;
  }
  if (zeros > 16 || *at + zeros >= bits)
    return G_MAXUINT;
  for (guint i = 0; i <= zeros; i++, ++*at)
    value = value << 1 | (data[*at / 8] >> (7 - *at % 8) & 1);
  return value - 1;
}

/* Only I slices. The two numbers read end within 8 bytes, and escape bytes cannot come among them before the third. */
static gboolean h264_slice_is_intra(const guint8 *nal, gsize size) {
  guint at = 8;
  guint first_block = read_golomb(nal, MIN(size, 9), &at), type = read_golomb(nal, MIN(size, 9), &at);
  return first_block != G_MAXUINT && (type == 2 || type == 7);
}

static FoveaPacketInfo read_h264(NalCursor cursor, gboolean delta) {
  FoveaPacketInfo info = {.shown = TRUE};
  gboolean slices = FALSE, intra = TRUE, parameters = FALSE;
  const guint8 *nal;
  gsize size;
  while (next_nal(&cursor, &nal, &size)) {
    if (size < 1)
      continue;
    guint type = nal[0] & 31;
    if (type >= 1 && type <= 5) {
      slices = TRUE;
      info.reference |= (nal[0] & 0x60) != 0;
      info.key |= type == 5;
      intra = intra && (type == 5 || (type == 1 && h264_slice_is_intra(nal, size)));
    }
    parameters |= type == 7 || type == 8 || type == 13 || type == 15;
  }
  info.reference |= !slices || parameters;
  info.key |= slices && intra && !delta;
  return info;
}

/* --- H.265 (ITU-T H.265, 7.3.1.2, 7.3.2.2.1, 7.4.2.2) ------------------------------------------------------ */

enum { H265_RSV_VCL_N14 = 14, H265_FIRST_IRAP = 16, H265_LAST_IRAP = 23, H265_LAST_VCL = 31, H265_VPS = 32, H265_SPS = 33, H265_PPS = 34 };

static void h265_read_parameters(FoveaPacketReader *reader, const guint8 *nal, gsize size) {
  if (size >= 3 && (nal[0] >> 1 & 63) == H265_SPS)
    reader->temporal_layers = (nal[2] >> 1 & 7) + 1;
}

/* The types that are even and below 16 are not referred to within their temporal layer, but layers above may: only the uppermost layer's can go. */
static FoveaPacketInfo read_h265(FoveaPacketReader *reader, NalCursor cursor) {
  FoveaPacketInfo info = {.shown = TRUE};
  gboolean slices = FALSE;
  const guint8 *nal;
  gsize size;
  while (next_nal(&cursor, &nal, &size)) {
    if (size < 2)
      continue;
    guint type = nal[0] >> 1 & 63, layer = nal[1] & 7; /* temporal id plus 1 */
    h265_read_parameters(reader, nal, size);
    if (type <= H265_LAST_VCL) {
      slices = TRUE;
      info.reference |= type > H265_RSV_VCL_N14 || type % 2 != 0 || !reader->temporal_layers || layer < reader->temporal_layers;
      info.key |= type >= H265_FIRST_IRAP && type <= H265_LAST_IRAP;
    }
    info.reference |= type >= H265_VPS && type <= H265_PPS;
  }
  info.reference |= !slices;
  return info;
}

/* hvcC: 22 bytes, then the number of arrays; an array: type, count of units, units with 2 bytes of length. */
static void h265_read_codec_data(FoveaPacketReader *reader, const guint8 *data, gsize size) {
  const guint8 *end = data + size;
  guint arrays = data[22];
  data += 23;
  while (arrays-- && end - data >= 3) {
    guint units = (guint)data[1] << 8 | data[2];
    NalCursor cursor = {data + 3, end, 2};
    const guint8 *nal;
    gsize nal_size;
    while (units-- && next_nal(&cursor, &nal, &nal_size))
      h265_read_parameters(reader, nal, nal_size);
    data = cursor.data;
  }
}

/* --- VP8 (RFC 6386, 9.1), VP9 (its specification, 7.2 and annex B) ----------------------------------------- */

/* Pictures nobody refers to still change the decoder's probabilities, so that only the decoder itself may leave them out. */
static FoveaPacketInfo read_vp8(const guint8 *data, gsize size) {
  gboolean readable = size >= 3;
  return (FoveaPacketInfo){.key = readable && !(data[0] & 1), .reference = TRUE, .shown = !readable || (data[0] & 16)};
}

static FoveaPacketInfo read_vp9(const guint8 *data, gsize size, gboolean delta) {
  FoveaPacketInfo info = {.key = !delta, .reference = TRUE, .shown = TRUE};
  if (size < 2 || data[0] >> 6 != 2)
    return info;
  gboolean several = (data[size - 1] & 0xe0) == 0xc0;
  guint profile = (data[0] >> 5 & 1) | (data[0] >> 4 & 1) << 1;
  guint rest = ((guint)data[0] << 8 | data[1]) << (profile == 3 ? 5 : 4) & 0xffff;
  gboolean existing = rest >> 15, inter = rest >> 14 & 1, shown = rest >> 13 & 1;
  info.key = !existing && !inter;
  info.shown = several || existing || shown;
  return info;
}

/* --- all --------------------------------------------------------------------------------------------------- */

FoveaPacketInfo fovea_packet_read(FoveaPacketReader *reader, const guint8 *data, gsize size, gboolean delta) {
  NalCursor cursor = {data, data + size, reader->nal_length_size};
  switch (reader->codec) {
    case FOVEA_CODEC_H264: return read_h264(cursor, delta);
    case FOVEA_CODEC_H265: return read_h265(reader, cursor);
    case FOVEA_CODEC_VP8: return read_vp8(data, size);
    case FOVEA_CODEC_VP9: return read_vp9(data, size, delta);
    case FOVEA_CODEC_AV1: return (FoveaPacketInfo){.key = !delta, .reference = TRUE, .shown = TRUE};
    case FOVEA_CODEC_MJPEG: return (FoveaPacketInfo){.key = TRUE, .reference = FALSE, .shown = TRUE};
  }
  g_assert_not_reached();
}

/* avcC and hvcC start with version 1 and say in the low bits of one byte how long the lengths are. */
static void read_codec_data(FoveaPacketReader *reader, GstBuffer *buffer) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return;
  if (reader->codec == FOVEA_CODEC_H264 && map.size >= 7 && map.data[0] == 1)
    reader->nal_length_size = (map.data[4] & 3u) + 1;
  if (reader->codec == FOVEA_CODEC_H265 && map.size >= 23 && map.data[0] == 1) {
    reader->nal_length_size = (map.data[21] & 3u) + 1;
    h265_read_codec_data(reader, map.data, map.size);
  }
  gst_buffer_unmap(buffer, &map);
}

gboolean fovea_packet_reader_init(FoveaPacketReader *reader, const GstCaps *caps) {
  static const struct {
    const gchar *name;
    FoveaCodec codec;
  } known[] = {{"video/x-h264", FOVEA_CODEC_H264}, {"video/x-h265", FOVEA_CODEC_H265}, {"video/x-vp8", FOVEA_CODEC_VP8},
               {"video/x-vp9", FOVEA_CODEC_VP9},   {"video/x-av1", FOVEA_CODEC_AV1},   {"image/jpeg", FOVEA_CODEC_MJPEG}};
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
    if (!gst_structure_has_name(structure, known[i].name))
      continue;
    *reader = (FoveaPacketReader){.codec = known[i].codec};
    const GValue *value = gst_structure_get_value(structure, "codec_data");
    if (value && GST_VALUE_HOLDS_BUFFER(value))
      read_codec_data(reader, gst_value_get_buffer(value));
    return TRUE;
  }
  return FALSE;
}
