/* When encoded pictures are decoded, where a stream tells only when they are shown: RTP does, and with B-frames the two orders differ. Muxers, and whoever puts frames in order, need
 * both.
 *
 * One idea for H.264 and H.265: with at most d pictures decoded before one that is shown before them, the i-th picture is decoded when the (i - d)-th of all in the order shown is
 * shown. Such times rise, and none is behind the time at which its picture is shown. d is learned from the times themselves; that it may be learned, a stream's first frames wait until
 * they have shown a whole group of B-frames, or that there is none. Where d grows later (an encoder that chooses anew), the times of one group are behind those at which it is shown.
 * Streams without B-frames, of other codecs, and frames that tell decoding times, keep what they have.
 *
 * Frames are put in and taken out in decoding order; what they are is the caller's. Not thread-safe. */
#ifndef FOVEA_PLUGINS_DECODETIMES_H
#define FOVEA_PLUGINS_DECODETIMES_H

#include <gst/gst.h>

#include "runningtime.h"

G_BEGIN_DECLS

#define FOVEA_REORDER_MAX 16 /* pictures; both standards' */

typedef struct FoveaDecodeTimes { /* all zero: caps are not known, nothing is changed */
  gboolean negative; /* set by the owner: decoding times before 0 can be told; else the first ones are close to 0 and to each other */
  gboolean wanted;   /* the codec has B-frames */
  gboolean learning; /* frames wait until d is known */
  GQueue held;       /* of what is put in, private entries */
  guint depth;       /* d */
  gint64 interval;   /* between pictures, about */
  gint64 shown[FOVEA_REORDER_MAX + 1]; /* the latest of the times shown, rising */
  gint64 last;       /* decoding time given out last */
} FoveaDecodeTimes;

/* Frames that follow have these caps. Those before have been taken, after fovea_decode_times_settle(). */
void fovea_decode_times_begin(FoveaDecodeTimes *times, const GstCaps *caps);
/* Running times in ns; one of them may be FOVEA_NO_TIME. frame is not NULL. */
void fovea_decode_times_put(FoveaDecodeTimes *times, gpointer frame, gint64 pts, gint64 dts);
/* The next frame that need not wait, or NULL. ret_dts: FOVEA_NO_TIME: decoded when it is shown. */
gpointer fovea_decode_times_take(FoveaDecodeTimes *times, gint64 *ret_dts);
/* Nothing follows: no frame need wait. */
void fovea_decode_times_settle(FoveaDecodeTimes *times);
/* Time begins anew; frames that wait are freed. */
void fovea_decode_times_clear(FoveaDecodeTimes *times, GDestroyNotify free_frame);

G_END_DECLS
#endif
