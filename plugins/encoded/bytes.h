/* Little-endian numbers at any address. (GST_READ_UINT32_LE and its like want them aligned.) */
#ifndef FOVEA_PLUGINS_BYTES_H
#define FOVEA_PLUGINS_BYTES_H

#include <string.h>

#include <glib.h>

static inline void fovea_put_u16(guint8 *at, guint16 value) {
  value = GUINT16_TO_LE(value);
  memcpy(at, &value, sizeof value);
}
static inline void fovea_put_u32(guint8 *at, guint32 value) {
  value = GUINT32_TO_LE(value);
  memcpy(at, &value, sizeof value);
}
static inline void fovea_put_u64(guint8 *at, guint64 value) {
  value = GUINT64_TO_LE(value);
  memcpy(at, &value, sizeof value);
}
static inline guint16 fovea_get_u16(const guint8 *at) {
  guint16 value;
  memcpy(&value, at, sizeof value);
  return GUINT16_FROM_LE(value);
}
static inline guint32 fovea_get_u32(const guint8 *at) {
  guint32 value;
  memcpy(&value, at, sizeof value);
  return GUINT32_FROM_LE(value);
}
static inline guint64 fovea_get_u64(const guint8 *at) {
  guint64 value;
  memcpy(&value, at, sizeof value);
  return GUINT64_FROM_LE(value);
}

#endif
