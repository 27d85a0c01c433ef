/**
 * SECTION:element-foveadecode
 * @title: foveadecode
 *
 * Decodes H.264, H.265, VP8, VP9, AV1 and JPEG with libavcodec, and leaves out what will not be analysed before it costs anything: pictures that no other needs, all but key
 * pictures, the loop filter, everything beyond so many pictures a second.
 *
 * |[
 * gst-launch-1.0 rtspsrc location=rtsp://camera/stream ! rtph264depay ! h264parse ! foveadecode max-fps=5 loop-filter=off \
 *   ! foveadetect model=nanodet_m_320.onnx ! foveapublish ! fakesink
 * ]|
 */
#include "foveadecode.h"

#include <string.h>

#include <fovea/limits.h>

#include "avdecoder.h"
#include "common/motionmeta.h"
#include "pixels.h"
#include "thinning.h"

GST_DEBUG_CATEGORY_STATIC(fovea_decode_debug);
#define GST_CAT_DEFAULT fovea_decode_debug

#define SIDE "[ 1, 16384 ]"
#define SINK_CAPS                                                                                 \
  "video/x-h264, stream-format = (string) { avc, avc3, byte-stream }, alignment = (string) au; "  \
  "video/x-h265, stream-format = (string) { hvc1, hev1, byte-stream }, alignment = (string) au; " \
  "video/x-vp8; video/x-vp9; video/x-av1, stream-format = (string) obu-stream, alignment = (string) tu; image/jpeg"

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(SINK_CAPS));
static GstStaticPadTemplate src_template =
  GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                          GST_STATIC_CAPS("video/x-raw, format = (string) " FOVEA_DECODE_FORMATS ", width = " SIDE ", height = " SIDE
                                          ", framerate = " GST_VIDEO_FPS_RANGE));
G_STATIC_ASSERT(FV_MAX_FRAME_SIDE == 16384); /* SIDE */

enum { PROP_0, PROP_SKIP, PROP_LOOP_FILTER, PROP_MAX_FPS, PROP_THREADS, PROP_CORRUPT, PROP_MOTION_VECTORS, PROP_STATS };

typedef enum FoveaLoopFilter { FOVEA_LOOP_FILTER_ON, FOVEA_LOOP_FILTER_NONREF, FOVEA_LOOP_FILTER_OFF } FoveaLoopFilter;
typedef enum FoveaCorrupt { FOVEA_CORRUPT_CONCEAL, FOVEA_CORRUPT_DROP } FoveaCorrupt;

typedef struct Settings {
  FoveaSkip skip;
  FoveaLoopFilter loop_filter;
  FoveaCorrupt corrupt;
  gdouble max_fps;
  guint threads;
  gboolean motion_vectors;
} Settings;

/* What became of the compressed pictures. Each is counted once as frames and, in the end, once as decoded, skipped, thinned, late, hidden or dropped. */
typedef struct Counts {
  guint64 frames;  /* came in */
  guint64 decoded; /* went out */
  guint64 skipped; /* left out by skip */
  guint64 thinned; /* left out, or decoded for others' sake only, by max-fps */
  guint64 late;    /* left out because downstream was behind */
  guint64 hidden;  /* only there for others to refer to */
  guint64 dropped; /* gave no picture, or a damaged one with corrupt=drop */
  guint64 corrupt; /* pictures that came out damaged, whether they went out or not */
  guint64 errors;  /* packets that libavcodec refused */
} Counts;

struct _GstFoveaDecode {
  GstVideoDecoder parent;
  Settings settings; /* object lock */
  Counts counts;     /* object lock */
  const gchar *codec_name; /* object lock; static storage of libavcodec's; NULL: not open */
  gchar last_error[160];   /* object lock */
  guint threads, delay;    /* object lock; in use */

  /* streaming thread */
  const FoveaLavc *lavc;
  FoveaAvDecoder decoder;
  FoveaPacketReader reader;
  FoveaThinning thinning;
  GstVideoCodecState *input;
  FoveaPictureForm form;
  gsize sent;          /* packets handed to libavcodec; a frame's user data is how many went before it */
  FoveaSkip level;     /* that the last packet was judged by */
  gboolean live;       /* upstream */
  gboolean await_key;  /* references are missing */
  gboolean takes_meta; /* downstream reads GstVideoMeta */
  gboolean warned;     /* of a size or format, since the caps */
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaDecode, gst_fovea_decode, GST_TYPE_VIDEO_DECODER,
                        GST_DEBUG_CATEGORY_INIT(fovea_decode_debug, "foveadecode", 0, "decoding of what will be analysed"))
GST_ELEMENT_REGISTER_DEFINE(foveadecode, "foveadecode", GST_RANK_NONE, GST_TYPE_FOVEA_DECODE)

static GType skip_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FOVEA_SKIP_NONE, "Every picture is decoded", "none"},
    {FOVEA_SKIP_NONREF, "Pictures that no other refers to are left out (H.264, H.265, VP8)", "nonref"},
    {FOVEA_SKIP_NOKEY, "All but key pictures are left out", "nokey"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("FoveaDecodeSkip", values));
  return type;
}

static GType loop_filter_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FOVEA_LOOP_FILTER_ON, "As the standard says: exact pictures", "on"},
    {FOVEA_LOOP_FILTER_NONREF, "Not on pictures that no other refers to", "nonref"},
    {FOVEA_LOOP_FILTER_OFF, "On none: blocks show, and errors grow until the next key picture", "off"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("FoveaDecodeLoopFilter", values));
  return type;
}

static GType corrupt_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FOVEA_CORRUPT_CONCEAL, "Repaired from their neighbours and marked with GST_BUFFER_FLAG_CORRUPTED", "conceal"},
    {FOVEA_CORRUPT_DROP, "Not passed on", "drop"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("FoveaDecodeCorrupt", values));
  return type;
}

/* --- small things ------------------------------------------------------------------------------------------ */

static Settings current_settings(GstFoveaDecode *self) {
  GST_OBJECT_LOCK(self);
  Settings settings = self->settings;
  GST_OBJECT_UNLOCK(self);
  return settings;
}

static void count(GstFoveaDecode *self, guint64 *counter) {
  GST_OBJECT_LOCK(self);
  ++*counter;
  GST_OBJECT_UNLOCK(self);
}

/* Damaged data is counted; an element error comes of it only when max-errors says so. */
static GstFlowReturn note_error(GstFoveaDecode *self, const gchar *what) {
  GstFlowReturn flow = GST_FLOW_OK;
  GST_OBJECT_LOCK(self);
  self->counts.errors++;
  g_strlcpy(self->last_error, what, sizeof(self->last_error));
  GST_OBJECT_UNLOCK(self);
  GST_VIDEO_DECODER_ERROR(self, 1, STREAM, DECODE, (NULL), ("foveadecode: %s", what), flow);
  return flow;
}

/* Something a user can do about, and that damaged data may bring about by chance: told once a stream. */
static GstFlowReturn note_unusable(GstFoveaDecode *self, const gchar *what) {
  if (!self->warned)
    GST_ELEMENT_WARNING(self, STREAM, FORMAT, (NULL), ("foveadecode: %s", what));
  self->warned = TRUE;
  return note_error(self, what);
}

static GstFlowReturn note_av_error(GstFoveaDecode *self, gint code) {
  if (g_atomic_int_compare_and_exchange(&self->decoder.too_large, 1, 0))
    return note_unusable(self, "the stream's pictures have a side of more than 16384 pixels; they are not decoded");
  gchar text[AV_ERROR_MAX_STRING_SIZE] = "";
  self->lavc->av_strerror(code, text, sizeof(text));
  return note_error(self, text);
}

/* --- output ------------------------------------------------------------------------------------------------ */

static void apply_stream_colorimetry(GstVideoInfo *info, const FoveaPictureForm *form) {
  if (form->colorimetry.range != GST_VIDEO_COLOR_RANGE_UNKNOWN)
    info->colorimetry.range = form->colorimetry.range;
  if (form->colorimetry.matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
    info->colorimetry.matrix = form->colorimetry.matrix;
  if (form->colorimetry.transfer != GST_VIDEO_TRANSFER_UNKNOWN)
    info->colorimetry.transfer = form->colorimetry.transfer;
  if (form->colorimetry.primaries != GST_VIDEO_COLOR_PRIMARIES_UNKNOWN)
    info->colorimetry.primaries = form->colorimetry.primaries;
  if (form->chroma_site != GST_VIDEO_CHROMA_SITE_UNKNOWN)
    info->chroma_site = form->chroma_site;
}

/* What the container says of shape and rhythm goes before what the stream says: it is there to correct it. */
static gboolean announce(GstFoveaDecode *self, const FoveaPictureForm *form) {
  GstVideoDecoder *decoder = GST_VIDEO_DECODER(self);
  GstVideoInterlaceMode mode = GST_VIDEO_INFO_INTERLACE_MODE(&self->input->info);
  if (form->interlaced && mode == GST_VIDEO_INTERLACE_MODE_PROGRESSIVE)
    mode = GST_VIDEO_INTERLACE_MODE_MIXED;
  GstVideoCodecState *state =
    gst_video_decoder_set_interlaced_output_state(decoder, form->format, mode, (guint)form->width, (guint)form->height, self->input);
  if (!state)
    return FALSE;
  apply_stream_colorimetry(&state->info, form);
  if (form->par_n > 0 && !gst_structure_has_field(gst_caps_get_structure(self->input->caps, 0), "pixel-aspect-ratio")) {
    GST_VIDEO_INFO_PAR_N(&state->info) = form->par_n;
    GST_VIDEO_INFO_PAR_D(&state->info) = form->par_d;
  }
  gst_video_codec_state_unref(state);
  self->form = *form;
  return gst_video_decoder_negotiate(decoder);
}

static GstFlowReturn prepare_output(GstFoveaDecode *self) {
  GstPad *pad = GST_VIDEO_DECODER_SRC_PAD(self);
  FoveaPictureForm form;
  fovea_picture_form(self->decoder.picture, &form);
  form.interlaced |= self->form.interlaced; /* a stream that mixes both is not renegotiated at each change */
  gboolean reconfigure = gst_pad_check_reconfigure(pad);
  if (!reconfigure && !memcmp(&form, &self->form, sizeof(form)))
    return GST_FLOW_OK;
  if (announce(self, &form))
    return GST_FLOW_OK;
  gst_pad_mark_reconfigure(pad);
  return GST_PAD_IS_FLUSHING(pad) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
}

static GstFlowReturn copy_picture(GstFoveaDecode *self, GstVideoCodecFrame *frame) {
  GstVideoDecoder *decoder = GST_VIDEO_DECODER(self);
  GstFlowReturn flow = gst_video_decoder_allocate_output_frame(decoder, frame);
  if (flow != GST_FLOW_OK)
    return flow;
  GstVideoCodecState *state = gst_video_decoder_get_output_state(decoder);
  GstVideoFrame mapped;
  gboolean ok = gst_video_frame_map(&mapped, &state->info, frame->output_buffer, GST_MAP_WRITE);
  if (ok) {
    fovea_picture_copy(self->decoder.picture, &mapped);
    gst_video_frame_unmap(&mapped);
  }
  gst_video_codec_state_unref(state);
  return ok ? GST_FLOW_OK : GST_FLOW_ERROR;
}

static void describe_picture(GstFoveaDecode *self, GstBuffer *buffer, gboolean corrupt) {
  const AVFrame *picture = self->decoder.picture;
  if (corrupt)
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_CORRUPTED);
  if (fovea_picture_is_interlaced(picture))
    GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED);
  if (fovea_picture_is_interlaced(picture) && fovea_picture_is_top_first(picture))
    GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_TFF);
  g_autoptr(GBytes) vectors = fovea_picture_motion(self->lavc, picture);
  if (vectors)
    fovea_motion_meta_add(buffer, (guint)picture->width, (guint)picture->height, vectors);
}

/* Takes the frame. */
static GstFlowReturn push_picture(GstFoveaDecode *self, GstVideoCodecFrame *frame, gboolean corrupt) {
  GstVideoDecoder *decoder = GST_VIDEO_DECODER(self);
  GstFlowReturn flow = prepare_output(self);
  if (flow == GST_FLOW_OK && self->takes_meta)
    frame->output_buffer = fovea_picture_wrap(self->lavc, self->decoder.picture, self->form.format);
  if (flow == GST_FLOW_OK && !frame->output_buffer)
    flow = copy_picture(self, frame);
  if (flow != GST_FLOW_OK) {
    gst_video_decoder_release_frame(decoder, frame);
    return flow;
  }
  describe_picture(self, frame->output_buffer, corrupt);
  self->lavc->av_frame_unref(self->decoder.picture); /* downstream may write where nobody else reads */
  count(self, &self->counts.decoded);
  return gst_video_decoder_finish_frame(decoder, frame);
}

/* --- from packets to pictures ------------------------------------------------------------------------------ */

static void give_up(GstFoveaDecode *self, GstVideoCodecFrame *frame, guint64 *counter) {
  count(self, counter);
  gst_video_decoder_release_frame(GST_VIDEO_DECODER(self), frame);
}

/* Of the packets that were sent before this many, those whose pictures cannot come any more. */
static void release_overdue(GstFoveaDecode *self, gsize before) {
  GstVideoDecoder *decoder = GST_VIDEO_DECODER(self);
  GstVideoCodecFrame *oldest;
  /* Only VP8 leaves the skipping to libavcodec. */
  guint64 *counter = self->reader.codec == FOVEA_CODEC_VP8 && self->level == FOVEA_SKIP_NONREF ? &self->counts.skipped : &self->counts.dropped;
  while ((oldest = gst_video_decoder_get_oldest_frame(decoder))) {
    if (GPOINTER_TO_SIZE(gst_video_codec_frame_get_user_data(oldest)) >= before) {
      gst_video_codec_frame_unref(oldest);
      return;
    }
    give_up(self, oldest, counter);
  }
}

static GstFlowReturn take_picture(GstFoveaDecode *self, const Settings *settings) {
  const AVFrame *picture = self->decoder.picture;
  gboolean corrupt = (picture->flags & AV_FRAME_FLAG_CORRUPT) || picture->decode_error_flags;
  GstVideoCodecFrame *frame = gst_video_decoder_get_frame(GST_VIDEO_DECODER(self), (gint)picture->pts);
  if (!frame) /* the second picture of a packet: damaged, or none to be shown */
    return GST_FLOW_OK;
  corrupt |= GST_BUFFER_FLAG_IS_SET(frame->input_buffer, GST_BUFFER_FLAG_CORRUPTED);
  if (corrupt)
    count(self, &self->counts.corrupt);
  FoveaPictureForm form;
  fovea_picture_form(picture, &form);
  if (form.format == GST_VIDEO_FORMAT_UNKNOWN) {
    give_up(self, frame, &self->counts.dropped);
    const gchar *name = self->lavc->av_get_pix_fmt_name(picture->format);
    g_autofree gchar *what = g_strdup_printf("GStreamer has no format for the stream's pixels, \"%s\"; they are not passed on", name ? name : "?");
    return note_unusable(self, what);
  }
  if (corrupt && settings->corrupt == FOVEA_CORRUPT_DROP) {
    give_up(self, frame, &self->counts.dropped);
    return GST_FLOW_OK;
  }
  if (!fovea_thinning_show(&self->thinning, frame->pts)) {
    give_up(self, frame, &self->counts.thinned);
    return GST_FLOW_OK;
  }
  return push_picture(self, frame, corrupt);
}

static void update_latency(GstFoveaDecode *self) {
  guint delay = fovea_av_delay(&self->decoder);
  if (delay == self->delay)
    return;
  GST_OBJECT_LOCK(self);
  self->delay = delay;
  GST_OBJECT_UNLOCK(self);
  gint n = GST_VIDEO_INFO_FPS_N(&self->input->info), d = GST_VIDEO_INFO_FPS_D(&self->input->info);
  GstClockTime duration = n > 0 && d > 0 ? gst_util_uint64_scale(GST_SECOND, (guint64)d, (guint64)n) : GST_SECOND / 25;
  gst_video_decoder_set_latency(GST_VIDEO_DECODER(self), delay * duration, delay * duration);
}

/* Until there is none left. An error is one packet's, and others follow it. */
static GstFlowReturn take_pictures(GstFoveaDecode *self, const Settings *settings) {
  GstFlowReturn flow = GST_FLOW_OK;
  while (flow == GST_FLOW_OK) {
    gint result = fovea_av_receive(&self->decoder);
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF)
      break;
    flow = result < 0 ? note_av_error(self, result) : take_picture(self, settings);
  }
  update_latency(self);
  return flow;
}

static GstFlowReturn drain_decoder(GstFoveaDecode *self, const Settings *settings) {
  fovea_av_send(&self->decoder, NULL, 0, 0);
  GstFlowReturn flow = take_pictures(self, settings);
  fovea_av_flush(&self->decoder);
  return flow;
}

static void apply_settings(GstFoveaDecode *self, const Settings *settings) {
  static const enum AVDiscard loop_filter[] = {AVDISCARD_DEFAULT, AVDISCARD_NONREF, AVDISCARD_ALL};
  AVCodecContext *context = self->decoder.context;
  context->skip_loop_filter = loop_filter[settings->loop_filter];
  context->skip_frame = self->level == FOVEA_SKIP_NONREF ? AVDISCARD_NONREF : AVDISCARD_DEFAULT; /* key pictures are told apart before */
}

static GstFlowReturn send_packet(GstFoveaDecode *self, const Settings *settings, const GstMapInfo *map, gint64 number) {
  for (gint attempt = 0; attempt < 2; attempt++) {
    gint result = fovea_av_send(&self->decoder, map->data, map->size, number);
    if (result == AVERROR(EAGAIN)) {
      GstFlowReturn flow = take_pictures(self, settings);
      if (flow != GST_FLOW_OK)
        return flow;
      continue;
    }
    return result < 0 ? note_av_error(self, result) : GST_FLOW_OK;
  }
  return GST_FLOW_OK;
}

/* Why a packet is not decoded; NULL: it is. */
static guint64 *judge(GstFoveaDecode *self, const Settings *settings, const FoveaPacketInfo *info, GstVideoCodecFrame *frame) {
  Counts *counts = &self->counts;
  fovea_thinning_set_max_fps(&self->thinning, settings->max_fps);
  FoveaSkip thinning = fovea_thinning_observe(&self->thinning, info, frame->pts), before = self->level;
  self->level = MAX(thinning, settings->skip);
  self->await_key = !info->key && (self->await_key || (before == FOVEA_SKIP_NOKEY && self->level != FOVEA_SKIP_NOKEY));
  guint64 *reason = settings->skip == self->level ? &counts->skipped : &counts->thinned;
  if (self->await_key)
    return &counts->skipped;
  if (self->level == FOVEA_SKIP_NOKEY) {
    if (!info->key)
      return reason;
    return fovea_thinning_feed(&self->thinning, frame->pts) ? NULL : &counts->thinned;
  }
  if (info->reference)
    return NULL;
  if (self->level == FOVEA_SKIP_NONREF && !info->key)
    return reason;
  if (!fovea_thinning_may_show(&self->thinning, frame->pts))
    return &counts->thinned;
  return gst_video_decoder_get_max_decode_time(GST_VIDEO_DECODER(self), frame) < 0 ? &counts->late : NULL;
}

static void refuse(GstFoveaDecode *self, GstVideoCodecFrame *frame, guint64 *reason) {
  if (reason != &self->counts.late) {
    give_up(self, frame, reason);
    return;
  }
  count(self, reason);
  gst_video_decoder_drop_frame(GST_VIDEO_DECODER(self), frame); /* posts the QoS message */
}

/* Takes the frame. */
static GstFlowReturn decode(GstFoveaDecode *self, const Settings *settings, const FoveaPacketInfo *info, const GstMapInfo *map, GstVideoCodecFrame *frame) {
  gst_video_codec_frame_set_user_data(frame, GSIZE_TO_POINTER(self->sent++), NULL);
  apply_settings(self, settings);
  GstFlowReturn flow = send_packet(self, settings, map, frame->system_frame_number);
  if (info->shown)
    gst_video_codec_frame_unref(frame); /* comes back with its picture */
  else
    give_up(self, frame, &self->counts.hidden);
  if (flow == GST_FLOW_OK)
    flow = take_pictures(self, settings);
  /* Key pictures alone would wait for as many others as the stream reorders, each a second or more away. */
  if (flow == GST_FLOW_OK && self->level == FOVEA_SKIP_NOKEY && self->live && self->delay > 0)
    flow = drain_decoder(self, settings);
  guint longest = fovea_av_longest_delay(&self->decoder);
  if (self->sent > longest)
    release_overdue(self, self->sent - longest);
  return flow;
}

static GstFlowReturn handle_frame(GstVideoDecoder *decoder, GstVideoCodecFrame *frame) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(decoder);
  Settings settings = current_settings(self);
  GstMapInfo map;
  count(self, &self->counts.frames);
  GstBuffer *input = gst_buffer_ref(frame->input_buffer); /* the frame may go before its data was read */
  if (!self->decoder.context || !gst_buffer_map(input, &map, GST_MAP_READ)) {
    gst_buffer_unref(input);
    give_up(self, frame, &self->counts.dropped);
    return self->decoder.context ? note_error(self, "a buffer cannot be mapped") : GST_FLOW_NOT_NEGOTIATED;
  }
  FoveaPacketInfo info = fovea_packet_read(&self->reader, map.data, map.size, GST_BUFFER_FLAG_IS_SET(input, GST_BUFFER_FLAG_DELTA_UNIT));
  guint64 *reason = judge(self, &settings, &info, frame);
  GstFlowReturn flow = GST_FLOW_OK;
  if (reason)
    refuse(self, frame, reason);
  else
    flow = decode(self, &settings, &info, &map, frame);
  gst_buffer_unmap(input, &map);
  gst_buffer_unref(input);
  return flow;
}

static GstFlowReturn drain(GstVideoDecoder *decoder) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(decoder);
  if (!self->decoder.context)
    return GST_FLOW_OK;
  Settings settings = current_settings(self);
  GstFlowReturn flow = drain_decoder(self, &settings);
  release_overdue(self, G_MAXSIZE);
  return flow;
}

static gboolean flush(GstVideoDecoder *decoder) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(decoder);
  if (self->decoder.context)
    fovea_av_flush(&self->decoder);
  self->await_key = FALSE; /* libavcodec waits by itself */
  self->level = FOVEA_SKIP_NONE;
  fovea_thinning_reset(&self->thinning, self->thinning.frame_duration);
  return TRUE;
}

/* --- stream ------------------------------------------------------------------------------------------------ */

static gboolean upstream_is_live(GstFoveaDecode *self) {
  g_autoptr(GstQuery) query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(GST_VIDEO_DECODER_SINK_PAD(self), query))
    gst_query_parse_latency(query, &live, NULL, NULL);
  return live;
}

static void forget_stream(GstFoveaDecode *self) {
  fovea_av_close(&self->decoder);
  g_clear_pointer(&self->input, gst_video_codec_state_unref);
  memset(&self->form, 0, sizeof(self->form));
  self->level = FOVEA_SKIP_NONE;
  self->await_key = self->warned = FALSE;
  GST_OBJECT_LOCK(self);
  self->codec_name = NULL;
  self->threads = 0;
  self->delay = G_MAXUINT; /* so that the first picture tells it */
  GST_OBJECT_UNLOCK(self);
}

static gboolean open_decoder(GstFoveaDecode *self, const GstVideoCodecState *state) {
  Settings settings = current_settings(self);
  self->live = upstream_is_live(self);
  FoveaAvParams params = {
    .codec = self->reader.codec,
    .codec_data = state->codec_data,
    .width = GST_VIDEO_INFO_WIDTH(&state->info),
    .height = GST_VIDEO_INFO_HEIGHT(&state->info),
    .threads = settings.threads,
    .live = self->live,
    .motion_vectors = settings.motion_vectors,
  };
  g_autofree gchar *problem = NULL;
  if (!fovea_av_open(&self->decoder, self->lavc, &params, &problem)) {
    GST_ELEMENT_ERROR(self, STREAM, CODEC_NOT_FOUND, (NULL), ("%s", problem));
    return FALSE;
  }
  GST_OBJECT_LOCK(self);
  self->codec_name = self->decoder.context->codec->name;
  self->threads = (guint)MAX(self->decoder.context->thread_count, 1);
  GST_OBJECT_UNLOCK(self);
  return TRUE;
}

static gboolean size_is_allowed(GstFoveaDecode *self, const GstVideoInfo *info) {
  if (GST_VIDEO_INFO_WIDTH(info) <= FV_MAX_FRAME_SIDE && GST_VIDEO_INFO_HEIGHT(info) <= FV_MAX_FRAME_SIDE)
    return TRUE;
  GST_ELEMENT_ERROR(self, STREAM, FORMAT, (NULL), ("foveadecode: pictures of %dx%d are announced; at most %d a side are decoded", GST_VIDEO_INFO_WIDTH(info),
                                                   GST_VIDEO_INFO_HEIGHT(info), FV_MAX_FRAME_SIDE));
  return FALSE;
}

static gboolean set_format(GstVideoDecoder *decoder, GstVideoCodecState *state) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(decoder);
  drain(decoder);
  forget_stream(self);
  if (!size_is_allowed(self, &state->info) || !fovea_packet_reader_init(&self->reader, state->caps) || !open_decoder(self, state))
    return FALSE;
  self->input = gst_video_codec_state_ref(state);
  gint n = GST_VIDEO_INFO_FPS_N(&state->info), d = GST_VIDEO_INFO_FPS_D(&state->info);
  fovea_thinning_reset(&self->thinning, n > 0 && d > 0 ? gst_util_uint64_scale(GST_SECOND, (guint64)d, (guint64)n) : 0);
  update_latency(self);
  GST_INFO_OBJECT(self, "%s, %d threads of kind %d, %s", self->decoder.context->codec->name, self->decoder.context->thread_count,
                  self->decoder.context->active_thread_type, self->live ? "live" : "not live");
  return TRUE;
}

static gboolean decide_allocation(GstVideoDecoder *decoder, GstQuery *query) {
  GST_FOVEA_DECODE(decoder)->takes_meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
  return GST_VIDEO_DECODER_CLASS(gst_fovea_decode_parent_class)->decide_allocation(decoder, query);
}

static gboolean open_library(GstVideoDecoder *decoder) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(decoder);
  const gchar *problem = NULL;
  self->lavc = fovea_lavc_get(&problem);
  if (!self->lavc)
    GST_ELEMENT_ERROR(self, LIBRARY, INIT, (NULL), ("%s", problem));
  return self->lavc != NULL;
}

static gboolean start(GstVideoDecoder *decoder) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(decoder);
  GST_OBJECT_LOCK(self);
  self->counts = (Counts){0};
  self->last_error[0] = '\0';
  GST_OBJECT_UNLOCK(self);
  return TRUE;
}

static gboolean stop(GstVideoDecoder *decoder) {
  forget_stream(GST_FOVEA_DECODE(decoder));
  return TRUE;
}

/* --- element ----------------------------------------------------------------------------------------------- */

static GstStructure *make_stats(GstFoveaDecode *self) {
  GST_OBJECT_LOCK(self);
  const Counts *counts = &self->counts;
  GstStructure *stats = gst_structure_new(
    "foveadecode-stats", "frames", G_TYPE_UINT64, counts->frames, "decoded", G_TYPE_UINT64, counts->decoded, "skipped", G_TYPE_UINT64, counts->skipped,
    "thinned", G_TYPE_UINT64, counts->thinned, "late", G_TYPE_UINT64, counts->late, "hidden", G_TYPE_UINT64, counts->hidden, "dropped", G_TYPE_UINT64,
    counts->dropped, "corrupt", G_TYPE_UINT64, counts->corrupt, "errors", G_TYPE_UINT64, counts->errors, "codec", G_TYPE_STRING,
    self->codec_name ? self->codec_name : "", "threads", G_TYPE_UINT, self->threads, "delay", G_TYPE_UINT, self->codec_name ? self->delay : 0, "last-error",
    G_TYPE_STRING, self->last_error, NULL);
  GST_OBJECT_UNLOCK(self);
  return stats;
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  Settings *settings = &GST_FOVEA_DECODE(object)->settings;
  GST_OBJECT_LOCK(object);
  switch (id) {
    case PROP_SKIP: settings->skip = (FoveaSkip)g_value_get_enum(value); break;
    case PROP_LOOP_FILTER: settings->loop_filter = (FoveaLoopFilter)g_value_get_enum(value); break;
    case PROP_MAX_FPS: settings->max_fps = g_value_get_double(value); break;
    case PROP_THREADS: settings->threads = g_value_get_uint(value); break;
    case PROP_CORRUPT: settings->corrupt = (FoveaCorrupt)g_value_get_enum(value); break;
    case PROP_MOTION_VECTORS: settings->motion_vectors = g_value_get_boolean(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(object);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaDecode *self = GST_FOVEA_DECODE(object);
  Settings settings = current_settings(self);
  switch (id) {
    case PROP_SKIP: g_value_set_enum(value, (gint)settings.skip); break;
    case PROP_LOOP_FILTER: g_value_set_enum(value, (gint)settings.loop_filter); break;
    case PROP_MAX_FPS: g_value_set_double(value, settings.max_fps); break;
    case PROP_THREADS: g_value_set_uint(value, settings.threads); break;
    case PROP_CORRUPT: g_value_set_enum(value, (gint)settings.corrupt); break;
    case PROP_MOTION_VECTORS: g_value_set_boolean(value, settings.motion_vectors); break;
    case PROP_STATS: g_value_take_boxed(value, make_stats(self)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_fovea_decode_init(GstFoveaDecode *self) {
  GstVideoDecoder *decoder = GST_VIDEO_DECODER(self);
  self->delay = G_MAXUINT;
  fovea_thinning_reset(&self->thinning, 0);
  gst_video_decoder_set_packetized(decoder, TRUE);
  gst_video_decoder_set_needs_format(decoder, TRUE);
  gst_video_decoder_set_use_default_pad_acceptcaps(decoder, TRUE);
  GST_PAD_SET_ACCEPT_TEMPLATE(GST_VIDEO_DECODER_SINK_PAD(decoder));
}

static void install_properties(GObjectClass *class) {
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  g_object_class_install_property(class, PROP_SKIP,
                                  g_param_spec_enum("skip", "Skip", "Compressed pictures that are not decoded; after nokey, decoding goes on at the next key picture",
                                                    skip_get_type(), FOVEA_SKIP_NONE, playing));
  g_object_class_install_property(class, PROP_LOOP_FILTER,
                                  g_param_spec_enum("loop-filter", "Loop filter", "Smoothing of block edges, a good part of the cost (H.264, H.265, VP8)",
                                                    loop_filter_get_type(), FOVEA_LOOP_FILTER_ON, playing));
  g_object_class_install_property(
    class, PROP_MAX_FPS,
    g_param_spec_double("max-fps", "Most frames a second", "Passed on, by timestamps; what is not needed for them is not decoded; 0: all", 0, 1000, 0, playing));
  g_object_class_install_property(
    class, PROP_THREADS,
    g_param_spec_uint("threads", "Threads",
                      "Of this decoder; taken up at the start and when caps change. Several pictures at once for files, parts of one picture for live input, which adds no "
                      "delay. 0: one per core, at most 8 for files and 4 for live input",
                      0, 64, 0, ready));
  g_object_class_install_property(class, PROP_CORRUPT,
                                  g_param_spec_enum("corrupt", "Damaged pictures", "What becomes of them", corrupt_get_type(), FOVEA_CORRUPT_CONCEAL, playing));
  g_object_class_install_property(
    class, PROP_MOTION_VECTORS,
    g_param_spec_boolean("motion-vectors", "Motion vectors", "Attach the encoder's motion vectors to frames as FoveaMotionMeta (H.264); taken up at the start and when caps change",
                         FALSE, ready));
  g_object_class_install_property(
    class, PROP_STATS,
    g_param_spec_boxed("stats", "Statistics",
                       "Since the start: compressed pictures that came (frames), went out (decoded), were left out by skip (skipped), max-fps (thinned) or being late (late), are "
                       "only for reference (hidden), gave nothing fit to go out (dropped); damaged ones (corrupt), errors of libavcodec (errors, last-error); its decoder (codec), "
                       "threads, and the pictures it holds back (delay)",
                       GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_fovea_decode_class_init(GstFoveaDecodeClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GstVideoDecoderClass *decoder_class = GST_VIDEO_DECODER_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  install_properties(object_class);
  decoder_class->open = open_library;
  decoder_class->start = start;
  decoder_class->stop = stop;
  decoder_class->set_format = set_format;
  decoder_class->handle_frame = handle_frame;
  decoder_class->flush = flush;
  decoder_class->drain = drain;
  decoder_class->finish = drain;
  decoder_class->decide_allocation = decide_allocation;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Fovea decoder", "Codec/Decoder/Video", "Decodes compressed video, as far as it will be analysed", "Fovea");
  gst_type_mark_as_plugin_api(skip_get_type(), 0);
  gst_type_mark_as_plugin_api(loop_filter_get_type(), 0);
  gst_type_mark_as_plugin_api(corrupt_get_type(), 0);
}
