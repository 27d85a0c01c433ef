/* One libavcodec decoder, opened for latency or for throughput. Knows nothing of elements. Streaming thread only, unless said otherwise. */
#ifndef FOVEA_PLUGINS_AVDECODER_H
#define FOVEA_PLUGINS_AVDECODER_H

#include "lavc.h"
#include "packet.h"

G_BEGIN_DECLS

typedef struct FoveaAvDecoder {
  const FoveaLavc *lavc;
  AVCodecContext *context; /* NULL: not open */
  AVPacket *packet;
  AVFrame *picture;
  gint too_large; /* atomic: a picture was refused for its size, on whatever thread */
} FoveaAvDecoder;

typedef struct FoveaAvParams {
  FoveaCodec codec;
  GstBuffer *codec_data; /* may be NULL */
  gint width, height;    /* as the container says; 0: unknown */
  guint threads;         /* 0: by cores */
  gboolean live;         /* no picture may wait for a later packet only to keep threads busy */
  gboolean motion_vectors;
} FoveaAvParams;

/* FALSE and a sentence (free with g_free) when this codec cannot be decoded here. Closes what was open before. */
gboolean fovea_av_open(FoveaAvDecoder *decoder, const FoveaLavc *lavc, const FoveaAvParams *params, gchar **ret_problem);
void fovea_av_close(FoveaAvDecoder *decoder);

/* Hands one compressed picture over; data NULL: there are no more, and what waits inside may be received. number comes back as the picture's pts. AVERROR(EAGAIN): receive
 * first; other negative numbers: it cannot be decoded. */
gint fovea_av_send(FoveaAvDecoder *decoder, const guint8 *data, gsize size, gint64 number);
/* 0: decoder->picture is the next picture, until the next call. AVERROR(EAGAIN), AVERROR_EOF: there is none; others: one was lost. */
gint fovea_av_receive(FoveaAvDecoder *decoder);
/* Forgets all that waits inside; goes on with a key picture. */
void fovea_av_flush(FoveaAvDecoder *decoder);

/* Pictures that may be waiting inside while the next packet is decoded. */
guint fovea_av_delay(const FoveaAvDecoder *decoder);
/* A picture that has not come out when this many later ones were sent will not come. */
guint fovea_av_longest_delay(const FoveaAvDecoder *decoder);

G_END_DECLS
#endif
