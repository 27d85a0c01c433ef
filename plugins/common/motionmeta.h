/* Motion vectors of a decoded picture, as the video's encoder chose them. They tell where blocks of the picture came from, which is motion for nothing, and sometimes
 * only what compressed best: single vectors lie, areas of them seldom do. Shared between copies of a buffer. */
#ifndef FOVEA_PLUGINS_MOTIONMETA_H
#define FOVEA_PLUGINS_MOTIONMETA_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct FoveaMotionVector {
  gint16 x, y;   /* centre of the block in the picture, in pixels; may lie outside of it */
  gint16 dx, dy; /* from where the block was in the reference picture to where it is now, in quarters of a pixel; for a later reference, from there back to here */
  guint8 width, height; /* of the block, in pixels */
  gint8 reference;      /* -1: an earlier picture, 1: a later one. How far away is not known. */
  guint8 reserved;      /* 0 */
} FoveaMotionVector;

typedef struct FoveaMotionMeta {
  GstMeta meta;
  guint width, height; /* size of the picture that the vectors are in pixels of; the frame may have been scaled since */
  GBytes *vectors;     /* FoveaMotionVector; shared, read-only */
} FoveaMotionMeta;

GType fovea_motion_meta_api_get_type(void);

/* Adds one to a writable buffer, with a reference of its own to the vectors. */
FoveaMotionMeta *fovea_motion_meta_add(GstBuffer *buffer, guint width, guint height, GBytes *vectors);
/* NULL: the picture came without vectors. Borrowed. */
FoveaMotionMeta *fovea_motion_meta_get(GstBuffer *buffer);
const FoveaMotionVector *fovea_motion_meta_vectors(const FoveaMotionMeta *motion, gsize *ret_count);

G_END_DECLS
#endif
