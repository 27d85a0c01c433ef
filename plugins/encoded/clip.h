/* One clip while it is written: a muxer and a file on a thread of their own. */
#ifndef FOVEA_PLUGINS_CLIP_H
#define FOVEA_PLUGINS_CLIP_H

#include "clipstore.h"
#include "gop.h"

G_BEGIN_DECLS

#define FOVEA_CLIP_QUEUE_BYTES (128 << 20) /* that may wait for the disk; one that needs more has failed */

typedef struct FoveaClip FoveaClip;

typedef struct FoveaClipResult {
  gchar *location;  /* NULL: nothing that can be played */
  gchar *error;     /* NULL: complete */
  const gchar *label; /* of the event it began with */
  gint64 start, duration; /* running time, ns */
  guint64 frames, bytes;  /* of encoded video */
} FoveaClipResult;

/* Called once, from the clip's thread, before it ends; takes over the strings. */
typedef void (*FoveaClipDone)(gpointer user, FoveaClipResult *result);

/* The store must live until done has been called. label is interned. */
FoveaClip *fovea_clip_begin(FoveaClipStore *store, GMutex *store_lock, GstCaps *caps, gint64 epoch, const gchar *label, FoveaClipDone done, gpointer user);
/* Holds references of its own to the frame's buffer. Never blocks. */
void fovea_clip_add(FoveaClip *clip, const FoveaFrame *frame);
GstCaps *fovea_clip_caps(const FoveaClip *clip);
/* No frame follows; the clip belongs to its thread. */
void fovea_clip_end(FoveaClip *clip);

G_END_DECLS
#endif
