/* Groups of pictures: a key frame of encoded video and the frames that need it, with all that a decoder or a file has to know about them. The unit in which video is sent,
 * spooled and cut into clips.
 *
 * A GOP grows while its frames come in; whoever shares one between threads guards it with a lock of its own until it is complete. */
#ifndef FOVEA_PLUGINS_GOP_H
#define FOVEA_PLUGINS_GOP_H

#include <gst/gst.h>

#include <fovea/error.h>

#include "common/runningtime.h"

G_BEGIN_DECLS

#define FOVEA_GOP_MAX_BYTES (16 << 20)
#define FOVEA_GOP_MAX_FRAMES 4096
#define FOVEA_GOP_MAX_CAPS 65536 /* bytes of the caps' stored form */
/* What both elements take. */
#define FOVEA_ENCODED_CAPS                                                                                                              \
  "video/x-h264, stream-format = (string) { avc, avc3, byte-stream }, alignment = (string) au; "                                        \
  "video/x-h265, stream-format = (string) { hvc1, hev1, byte-stream }, alignment = (string) au; "                                       \
  "video/x-av1, stream-format = (string) obu-stream, alignment = (string) tu; video/x-vp9"

typedef struct FoveaFrame {
  GstBuffer *buffer;  /* data, flags and duration; its timestamps are not used */
  gint64 pts, dts;    /* running time, ns; dts may be negative; FOVEA_NO_TIME is not known */
  gint64 arrived;     /* monotonic us; 0 when read from a disk */
} FoveaFrame;

typedef struct FoveaGop {
  gatomicrefcount references;
  GstCaps *caps;
  GArray *frames;    /* FoveaFrame in decoding order */
  gint64 start, end; /* running time, ns: of the first frame shown, and of the end of the last */
  gint64 epoch;      /* UTC of running time 0, ns since 1970 */
  gsize bytes;
  guint part;        /* 0 begins with a key frame; the others go on where a bound cut the one before */
  gboolean cut;      /* another part follows */
} FoveaGop;

typedef struct FoveaGopBounds {
  gint64 shortest, longest; /* ns: key frames sooner do not begin a new one; 0: all do. Longer ones are cut; 0: only at the limits above */
} FoveaGopBounds;

typedef enum FoveaGopStep {
  FOVEA_GOP_GROW,   /* the frame belongs to the open GOP */
  FOVEA_GOP_BEGIN,  /* the open one is complete, the frame begins the next */
  FOVEA_GOP_CUT,    /* as BEGIN, but it is the next part of the same */
  FOVEA_GOP_REFUSE, /* there is no key frame that the frame could follow */
} FoveaGopStep;

/* Times of a buffer of a segment; holds a reference to the buffer. FALSE for one without a time, which nothing can be done with. */
gboolean fovea_frame_init(FoveaFrame *frame, GstBuffer *buffer, const GstSegment *segment);
void fovea_frame_clear(FoveaFrame *frame);
static inline gboolean fovea_frame_is_key(const FoveaFrame *frame) { return !GST_BUFFER_FLAG_IS_SET(frame->buffer, GST_BUFFER_FLAG_DELTA_UNIT); }
static inline gint64 fovea_frame_time(const FoveaFrame *frame) { return frame->pts != FOVEA_NO_TIME ? frame->pts : frame->dts; }
/* When it is decoded, as far as known: frames that are decoded later are not shown before it. */
static inline gint64 fovea_frame_order(const FoveaFrame *frame) { return frame->dts != FOVEA_NO_TIME ? frame->dts : frame->pts; }

FoveaGop *fovea_gop_new(GstCaps *caps, gint64 epoch, guint part);
FoveaGop *fovea_gop_ref(FoveaGop *gop);
void fovea_gop_unref(FoveaGop *gop);
/* What a frame means for the open GOP, which may be NULL; caps are the frame's. */
FoveaGopStep fovea_gop_step(const FoveaGop *open, const FoveaFrame *frame, GstCaps *caps, const FoveaGopBounds *bounds);
/* Takes over the frame's reference. */
void fovea_gop_append(FoveaGop *gop, const FoveaFrame *frame);
static inline const FoveaFrame *fovea_gop_frame(const FoveaGop *gop, guint i) { return &g_array_index(gop->frames, FoveaFrame, i); }

/* UTC of running time 0, ns: from the source's own stamp on the buffer (a reference timestamp of NTP or Unix time) where there is one, else from the
 * machine's clock as if the frame had been taken now. */
gint64 fovea_gop_epoch(const FoveaFrame *frame);

/* The form on disk, all numbers little-endian:
 *   0 "FVGP"   4 u16 version, 1   6 u16 flags: 1 cut   8 u32 part   12 u32 frames   16 u32 bytes of the caps   20 u32 zero
 *   24 i64 start   32 i64 end   40 i64 epoch   48 the caps in the form of capsform.h
 *   for each frame: i64 pts, i64 dts, i64 duration (INT64_MIN in each: not known), u32 flags, u32 bytes
 *   the data of the frames, one behind the other, to the end
 * flags of a frame: 1 needs others to be decoded, 2 discontinuity before it, 4 corrupted, 8 nothing needs it, 16 last of its picture, 32 holds headers. */
GBytes *fovea_gop_encode(const FoveaGop *gop);
/* The frames share the message's memory. NULL with FV_ERR_FORMAT or FV_ERR_LIMIT. */
FoveaGop *fovea_gop_decode(GBytes *message, FvError *err);

G_END_DECLS
#endif
