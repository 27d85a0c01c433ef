/* Frames that stand in while there are none. */
#ifndef FOVEA_SOURCE_PLACEHOLDER_H
#define FOVEA_SOURCE_PLACEHOLDER_H

#include <gst/video/video.h>

G_BEGIN_DECLS

/* The frame again, sharing its memory; without the time at which its source took it. Marked as a gap. */
GstBuffer *fovea_placeholder_repeat(GstBuffer *last);
/* A grey picture in that format; NULL: it cannot be made. Marked as a gap. */
GstBuffer *fovea_placeholder_grey(const GstVideoInfo *info);
/* Caps to begin with before the source has told its own, from what the other side takes; NULL: it takes no raw video in memory. */
GstCaps *fovea_placeholder_caps(GstCaps *accepted, gint width, gint height);

G_END_DECLS
#endif
