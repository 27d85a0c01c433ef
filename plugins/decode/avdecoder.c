#include "avdecoder.h"

#include <string.h>

#include <fovea/limits.h>

/* Half of the largest square: 200 MB a picture of 8 bits, and a stream may ask for 17 of them. */
#define MAX_PIXELS ((gint64)FV_MAX_FRAME_SIDE * FV_MAX_FRAME_SIDE / 2)
#define MAX_FILE_THREADS 8 /* each holds a picture, and later ones gain little */
#define MAX_LIVE_THREADS 4
#define MAX_CODEC_DATA (1 << 20)
#define MAX_REORDERED 16 /* pictures; of H.264 and H.265 both */

static enum AVCodecID codec_id(FoveaCodec codec) {
  switch (codec) {
    case FOVEA_CODEC_H264: return AV_CODEC_ID_H264;
    case FOVEA_CODEC_H265: return AV_CODEC_ID_HEVC;
    case FOVEA_CODEC_VP8: return AV_CODEC_ID_VP8;
    case FOVEA_CODEC_VP9: return AV_CODEC_ID_VP9;
    case FOVEA_CODEC_AV1: return AV_CODEC_ID_AV1;
    case FOVEA_CODEC_MJPEG: return AV_CODEC_ID_MJPEG;
  }
  g_assert_not_reached();
}

static const gchar *codec_name(FoveaCodec codec) {
  static const gchar *names[] = {"H.264", "H.265", "VP8", "VP9", "AV1", "JPEG"};
  return names[codec];
}

/* libavcodec's own AV1 decoder only drives hardware. */
static const AVCodec *find_codec(const FoveaLavc *lavc, FoveaCodec codec) {
  const AVCodec *found = lavc->avcodec_find_decoder(codec_id(codec));
  return found && codec == FOVEA_CODEC_AV1 && !strcmp(found->name, "av1") ? NULL : found;
}

/* On any of libavcodec's threads. Its own memory is good to be handed on: pooled, aligned, zeroed when new, and safe from threads. */
static int get_buffer(AVCodecContext *context, AVFrame *picture, int flags) {
  FoveaAvDecoder *decoder = context->opaque;
  if (picture->width > FV_MAX_FRAME_SIDE || picture->height > FV_MAX_FRAME_SIDE) {
    g_atomic_int_set(&decoder->too_large, 1);
    return AVERROR_INVALIDDATA;
  }
  return decoder->lavc->avcodec_default_get_buffer2(context, picture, flags);
}

static gboolean set_codec_data(FoveaAvDecoder *decoder, GstBuffer *data) {
  gsize size = data ? gst_buffer_get_size(data) : 0;
  if (size == 0 || size > MAX_CODEC_DATA)
    return size == 0;
  decoder->context->extradata = decoder->lavc->av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
  if (!decoder->context->extradata)
    return FALSE;
  decoder->context->extradata_size = (gint)gst_buffer_extract(data, 0, decoder->context->extradata, size);
  return TRUE;
}

/* Frame threads decode several pictures at once and give each out later by their number; slice threads give it out at once, and help where an encoder made slices. */
static void choose_threads(AVCodecContext *context, const FoveaAvParams *params) {
  guint most = params->live ? MAX_LIVE_THREADS : MAX_FILE_THREADS;
  context->thread_count = (gint)(params->threads ? params->threads : MIN(g_get_num_processors(), most));
  context->thread_type = params->live ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
  if (params->live && params->codec == FOVEA_CODEC_AV1) /* of others it would put pictures out of order */
    context->flags |= AV_CODEC_FLAG_LOW_DELAY;
#if LIBAVCODEC_VERSION_MAJOR < 60
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  context->thread_safe_callbacks = 1; /* so they have to be, from 60 on */
  G_GNUC_END_IGNORE_DEPRECATIONS
#endif
}

static void set_up(FoveaAvDecoder *decoder, const FoveaAvParams *params) {
  AVCodecContext *context = decoder->context;
  context->opaque = decoder;
  context->get_buffer2 = get_buffer;
  context->max_pixels = MAX_PIXELS;
  context->width = context->coded_width = params->width;
  context->height = context->coded_height = params->height;
  if (params->motion_vectors)
    context->flags2 |= AV_CODEC_FLAG2_EXPORT_MVS;
  choose_threads(context, params);
}

static gboolean allocate(FoveaAvDecoder *decoder, const AVCodec *codec) {
  decoder->context = decoder->lavc->avcodec_alloc_context3(codec);
  decoder->packet = decoder->lavc->av_packet_alloc();
  decoder->picture = decoder->lavc->av_frame_alloc();
  return decoder->context && decoder->packet && decoder->picture;
}

gboolean fovea_av_open(FoveaAvDecoder *decoder, const FoveaLavc *lavc, const FoveaAvParams *params, gchar **ret_problem) {
  fovea_av_close(decoder);
  decoder->lavc = lavc;
  const AVCodec *codec = find_codec(lavc, params->codec);
  if (!codec) {
    *ret_problem = g_strdup_printf("foveadecode: this libavcodec was built without a decoder for %s; install the one of your distribution", codec_name(params->codec));
    return FALSE;
  }
  if (!allocate(decoder, codec) || !set_codec_data(decoder, params->codec_data)) {
    *ret_problem = g_strdup_printf("foveadecode: no memory for a decoder of %s, or its codec_data is beyond %d bytes", codec_name(params->codec), MAX_CODEC_DATA);
    fovea_av_close(decoder);
    return FALSE;
  }
  set_up(decoder, params);
  gint result = lavc->avcodec_open2(decoder->context, codec, NULL);
  if (result >= 0)
    return TRUE;
  gchar text[AV_ERROR_MAX_STRING_SIZE] = "";
  lavc->av_strerror(result, text, sizeof(text));
  *ret_problem = g_strdup_printf("foveadecode: libavcodec does not open its decoder %s for this stream: %s", codec->name, text);
  fovea_av_close(decoder);
  return FALSE;
}

void fovea_av_close(FoveaAvDecoder *decoder) {
  if (!decoder->lavc)
    return;
  decoder->lavc->avcodec_free_context(&decoder->context);
  decoder->lavc->av_packet_free(&decoder->packet);
  decoder->lavc->av_frame_free(&decoder->picture);
  g_atomic_int_set(&decoder->too_large, 0);
}

/* Data without a reference count is copied, with the padding that libavcodec needs behind it. */
gint fovea_av_send(FoveaAvDecoder *decoder, const guint8 *data, gsize size, gint64 number) {
  if (!data)
    return decoder->lavc->avcodec_send_packet(decoder->context, NULL);
  if (size > G_MAXINT - AV_INPUT_BUFFER_PADDING_SIZE)
    return AVERROR_INVALIDDATA;
  decoder->packet->data = (guint8 *)data;
  decoder->packet->size = (gint)size;
  decoder->packet->pts = number;
  gint result = decoder->lavc->avcodec_send_packet(decoder->context, decoder->packet);
  decoder->lavc->av_packet_unref(decoder->packet);
  return result;
}

gint fovea_av_receive(FoveaAvDecoder *decoder) { return decoder->lavc->avcodec_receive_frame(decoder->context, decoder->picture); }

void fovea_av_flush(FoveaAvDecoder *decoder) { decoder->lavc->avcodec_flush_buffers(decoder->context); }

static guint thread_delay(const AVCodecContext *context) {
  return context->active_thread_type & FF_THREAD_FRAME ? (guint)MAX(context->thread_count - 1, 0) : 0;
}

/* Decoders that bring threads of their own (of AV1) tell theirs in delay. */
guint fovea_av_delay(const FoveaAvDecoder *decoder) {
  const AVCodecContext *context = decoder->context;
  return (guint)MAX(context->has_b_frames, 0) + MAX(thread_delay(context), (guint)MAX(context->delay - context->has_b_frames, 0));
}

guint fovea_av_longest_delay(const FoveaAvDecoder *decoder) {
  return MAX_REORDERED + 1 + MAX((guint)MAX(decoder->context->thread_count, 1), (guint)MAX(decoder->context->delay, 0));
}
