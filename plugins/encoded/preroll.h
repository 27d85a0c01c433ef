/* The last seconds of a stream in whole GOPs, and a place in them from which a clip is being written. Not thread-safe. */
#ifndef FOVEA_PLUGINS_PREROLL_H
#define FOVEA_PLUGINS_PREROLL_H

#include "gop.h"

G_BEGIN_DECLS

typedef struct FoveaPreroll {
  GQueue gops;       /* FoveaGop, oldest first; the last one grows */
  gint64 span;       /* ns that are kept before the newest frame, and the rest of the GOP they begin in */
  gsize max_bytes, bytes;
  gint64 newest;     /* running time of the newest frame; FOVEA_NO_TIME: none */
  gint64 epoch;      /* 0: not known yet */
  GList *at;         /* GOP of the next frame to be read; it and those behind it are kept; NULL: nothing is read */
  guint index;
} FoveaPreroll;

void fovea_preroll_clear(FoveaPreroll *ring);
/* Takes over the frame. FALSE: it follows no key frame and is not kept. */
gboolean fovea_preroll_append(FoveaPreroll *ring, FoveaFrame *frame, GstCaps *caps);
/* Reading begins with the last GOP that begins at or before a running time, or the oldest there is. Its GOP, or NULL: the ring is empty. */
const FoveaGop *fovea_preroll_seek(FoveaPreroll *ring, gint64 time);
/* The next frame, not taken; NULL: has not come yet. ret_gop is the one it is in. */
const FoveaFrame *fovea_preroll_peek(FoveaPreroll *ring, const FoveaGop **ret_gop);
void fovea_preroll_advance(FoveaPreroll *ring);
/* Stops reading. */
void fovea_preroll_release(FoveaPreroll *ring);

G_END_DECLS
#endif
