/* Caps of encoded video as bytes that may come from anywhere. (The parser of GStreamer's own text form is not made for that: it touches freed memory on a bad byte string.)
 *
 *   u8 length and text of the media type; then to the end for each field: u8 kind, u8 length and text of the name, u32 length and bytes of the value (little-endian).
 *   kinds: 1 i32   2 text   3 fraction, two i32   4 boolean, one byte   5 bytes   6 array of bytes, each with a u32 length before it   7 u32
 * Fields of other types are left out: none that a decoder needs has one. */
#ifndef FOVEA_PLUGINS_CAPSFORM_H
#define FOVEA_PLUGINS_CAPSFORM_H

#include <gst/gst.h>

G_BEGIN_DECLS

void fovea_caps_encode(const GstCaps *caps, GByteArray *out);
/* NULL: not the caps of encoded video, or damaged. */
GstCaps *fovea_caps_decode(const guint8 *bytes, gsize size);

G_END_DECLS
#endif
