/**
 * SECTION:element-foveadetect
 * @title: foveadetect
 *
 * Finds objects in video and describes them in metas; the pictures pass unchanged.
 *
 * Inference runs on a thread of the element's own and another one pushes downstream, in order, so that neither a slow model nor a sink that
 * waits for its time holds up the other. No queue is needed beside it: with policy keep-all the upstream thread waits once two frames are ahead; with keep-newest (what auto chooses for live
 * streams) the newest frame is analysed while those that came before it pass with the boxes of the last analysis, and no more
 * than eight wait.
 *
 * |[
 * gst-launch-1.0 filesrc location=street.mp4 ! decodebin ! videoconvert ! foveadetect ! foveaoverlay ! videoconvert ! autovideosink
 * ]|
 */
#include "foveadetect.h"

#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>

#include "engine.h"
#include "common/framemeta.h"
#include "common/meta.h"
#include "stats.h"

GST_DEBUG_CATEGORY_STATIC(fovea_detect_debug);
#define GST_CAT_DEFAULT fovea_detect_debug

#define FORMATS "{ NV12, I420, YUY2, RGB, BGR, RGBA, BGRA, RGBx, BGRx, GRAY8 }"
#define FIELDS                                                              \
  ", format=(string)" FORMATS ", width=(int)[ 1, " G_STRINGIFY(             \
    FV_MAX_FRAME_SIDE) " ], height=(int)[ 1, " G_STRINGIFY(FV_MAX_FRAME_SIDE) " ], framerate=(fraction)[ 0/1, 2147483647/1 ]"
#ifdef HAVE_GST_VULKAN
#define VULKAN_CAPS "; video/x-raw(" FOVEA_CAPS_FEATURE_VULKAN_IMAGE ")" FIELDS
#else
#define VULKAN_CAPS
#endif
#define CAPS "video/x-raw" FIELDS "; video/x-raw(" GST_CAPS_FEATURE_MEMORY_DMABUF ")" FIELDS VULKAN_CAPS

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));

typedef enum Fallback { FALLBACK_CPU = 0, FALLBACK_NONE } Fallback;
typedef enum Policy { POLICY_AUTO = 0, POLICY_KEEP_ALL, POLICY_KEEP_NEWEST } Policy;

#define KEEP_ALL_DEPTH 2        /* frames that wait for the worker */
#define KEEP_ALL_HELD 5         /* with the one in work, one done, and one being pushed */
#define KEEP_NEWEST_DEPTH 8     /* beyond it the oldest waiting frame is dropped */
#define REPEAT_LIMIT GST_SECOND /* boxes older than this are not put on frames that were not analysed */
#define LATENCY_TOLERANCE (2 * GST_MSECOND)
#define LATENCY_REVIEW 32 /* analysed frames between two looks at the measured latency */

#define DEFAULT_DEVICE "auto"
#define DEFAULT_MAX_DETECTIONS 100

enum {
  PROP_0,
  PROP_MODEL,
  PROP_CONFIG,
  PROP_LABELS,
  PROP_SIGNATURE,
  PROP_TRUSTED_KEYS,
  PROP_DEVICE,
  PROP_PRECISION,
  PROP_FALLBACK,
  PROP_THREADS,
  PROP_THRESHOLD,
  PROP_IOU_THRESHOLD,
  PROP_MAX_DETECTIONS,
  PROP_INTERVAL,
  PROP_INFERENCE_INTERVAL,
  PROP_BATCH_SIZE,
  PROP_META,
  PROP_POLICY,
  PROP_QOS,
  PROP_STATS,
};

/* What may change at any time; the worker takes a copy for each frame. */
typedef struct Tuning {
  FvDetectParams detect;
  guint interval;
  FoveaMetaKind meta;
  Policy policy;
  Fallback fallback;
  gboolean qos;
} Tuning;

typedef struct Item {
  GstMiniObject *object; /* buffer or serialized event */
  gint64 entered;        /* monotonic us */
} Item;

struct _GstFoveaDetect {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  GstTask *worker; /* analyses; the source pad's own task pushes */
  GRecMutex worker_lock;

  /* lock guards everything up to the next comment */
  GMutex lock;
  GCond added, removed;
  GQueue items;       /* of Item, for the worker */
  guint waiting;      /* buffers among items */
  GQueue done;        /* of Item, from the worker to the source pad's task */
  guint done_waiting; /* buffers among done */
  GstFlowReturn flow; /* of the last push; FLUSHING while inactive or flushing */
  gboolean eos;       /* seen on the sink pad */
  gboolean working;   /* the worker holds an item */
  gboolean pushing;   /* the source pad's task holds an item */
  gboolean gap;       /* a frame was dropped: the next one is a discontinuity */
  gboolean live;      /* upstream says so; valid when live_known */
  gboolean live_known;
  GstClockTime earliest;       /* running time before which frames are too late, from QoS events */
  GstClockTime latency;        /* of one analysis, as last reported */
  GstClockTime frame_duration; /* from caps; 0 when not known */
  Tuning tuning;
  FoveaEngineSettings settings;
  FoveaEngine *next_engine; /* loaded while playing, taken by the worker at the next frame */
  guint load_serial;        /* of the newest request to load */
  gchar *device;            /* that the running plan was made for */
  const gchar *family;      /* of the running model */
  gboolean imports_dma;     /* its device does */
  FoveaSharedPlan *shared;  /* the running engine's */
  guint64 weight_bytes;     /* in the memory of its device, shared with other elements */

  /* worker only, or while no worker runs */
  FoveaEngine *engine;
  GstVideoInfo info;
  FoveaView view;
  GstSegment segment;
  GArray *objects;           /* FoveaObject of the last analysis */
  GstClockTime objects_time; /* running time of the frame they came from */
  guint64 seq;
  guint since_analysed; /* frames, counting this one */
  guint latency_countdown;

  FoveaStats stats; /* locks itself */
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaDetect, gst_fovea_detect, GST_TYPE_ELEMENT,
                        GST_DEBUG_CATEGORY_INIT(fovea_detect_debug, "foveadetect", 0, "object detection"))
GST_ELEMENT_REGISTER_DEFINE(foveadetect, "foveadetect", GST_RANK_NONE, GST_TYPE_FOVEA_DETECT)

#define SIGNATURE_TYPE (signature_get_type())
static GType signature_get_type(void) {
  static const GEnumValue values[] = {{FV_SIGNATURE_WARN, "Load what is not signed by a trusted key, with a warning", "warn"},
                                      {FV_SIGNATURE_OFF, "Load it", "off"},
                                      {FV_SIGNATURE_REQUIRE, "Refuse it, and ONNX files", "require"},
                                      {0, NULL, NULL}};
  static gsize type;
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaSignaturePolicy", values));
  return type;
}

#define PRECISION_TYPE (precision_get_type())
static GType precision_get_type(void) {
  static const GEnumValue values[] = {{FV_PRECISION_AUTO, "fp16 on GPUs, fp32 on the CPU and on software devices", "auto"},
                                      {FV_PRECISION_FP32, "32-bit floats", "fp32"},
                                      {FV_PRECISION_FP16, "16-bit floats in memory, sums of 32 bits; the CPU computes in fp32", "fp16"},
                                      {FV_PRECISION_FP16_ARITHMETIC, "16-bit floats in memory and in sums of a few products; the CPU computes in fp32", "fp16-arithmetic"},
                                      {0, NULL, NULL}};
  static gsize type;
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaPrecision", values));
  return type;
}

#define FALLBACK_TYPE (fallback_get_type())
static GType fallback_get_type(void) {
  static const GEnumValue values[] = {{FALLBACK_CPU, "Go on with the CPU, and say so on the bus", "cpu"}, {FALLBACK_NONE, "End with an error", "none"}, {0, NULL, NULL}};
  static gsize type;
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaDetectFallback", values));
  return type;
}

#define POLICY_TYPE (policy_get_type())
static GType policy_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {POLICY_AUTO, "Live streams keep the newest frame, files every frame", "auto"},
    {POLICY_KEEP_ALL, "Analyse every frame, upstream waits", "keep-all"},
    {POLICY_KEEP_NEWEST, "Analyse the newest frame, others pass with the last boxes", "keep-newest"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaDetectPolicy", values));
  return type;
}

/* --- errors and the engine --------------------------------------------------------------------------------- */

static void error_domain(FvErrorCode code, GQuark *domain, gint *number) {
  switch (code) {
    case FV_ERR_IO: *domain = GST_RESOURCE_ERROR, *number = GST_RESOURCE_ERROR_NOT_FOUND; break;
    case FV_ERR_FORMAT:
    case FV_ERR_LIMIT:
    case FV_ERR_UNSUPPORTED: *domain = GST_STREAM_ERROR, *number = GST_STREAM_ERROR_WRONG_TYPE; break;
    case FV_ERR_DEVICE: *domain = GST_LIBRARY_ERROR, *number = GST_LIBRARY_ERROR_INIT; break;
    case FV_ERR_NO_MEMORY: *domain = GST_RESOURCE_ERROR, *number = GST_RESOURCE_ERROR_NO_SPACE_LEFT; break;
    default: *domain = GST_LIBRARY_ERROR, *number = GST_LIBRARY_ERROR_SETTINGS; break;
  }
}

static void post_error(GstFoveaDetect *self, GstMessageType type, const FvError *err) {
  GQuark domain;
  gint number;
  error_domain(err->code, &domain, &number);
  gst_element_message_full(GST_ELEMENT(self), type, domain, number, g_utf8_make_valid(err->message, -1), NULL, __FILE__,
                           GST_FUNCTION, __LINE__);
}

static FoveaEngine *load_engine(GstFoveaDetect *self, const FoveaEngineSettings *settings, FvError *err) {
  FoveaEngine *engine = fovea_engine_new(settings, err);
  if (engine)
    GST_INFO_OBJECT(self, "%s: %s detector on %s", engine->name, fv_family_name(engine->description->family),
                    fv_plan_info(fovea_plan_get(engine->shared)).device);
  return engine;
}

/* Called by the worker, or while no worker runs. Takes the engine, which may be NULL. */
static void take_engine(GstFoveaDetect *self, FoveaEngine *engine) {
  FoveaEngine *old = self->engine;
  self->engine = engine;
  g_mutex_lock(&self->lock);
  g_free(self->device);
  self->device = engine ? g_strdup(fv_plan_info(fovea_plan_get(engine->shared)).device) : NULL;
  self->family = engine ? fv_family_name(engine->description->family) : NULL;
  self->imports_dma = engine && fovea_engine_imports_dma(engine);
  self->shared = engine ? engine->shared : NULL;
  self->weight_bytes = engine ? (guint64)fv_plan_info(fovea_plan_get(engine->shared)).weight_bytes : 0;
  if (engine)
    self->latency = fovea_plan_warm_up_ns(engine->shared);
  g_mutex_unlock(&self->lock);
  fovea_engine_free(old);
}

static gboolean open_engine(GstFoveaDetect *self) {
  FvError err = {FV_OK, ""};
  FoveaEngineSettings settings;
  g_mutex_lock(&self->lock);
  fovea_engine_settings_copy(&settings, &self->settings);
  g_mutex_unlock(&self->lock);
  FoveaEngine *engine = load_engine(self, &settings, &err);
  fovea_engine_settings_finish(&settings);
  if (!engine) {
    post_error(self, GST_MESSAGE_ERROR, &err);
    return FALSE;
  }
  take_engine(self, engine);
  return TRUE;
}

/* Runs on a thread of GStreamer's. The running engine stays until the new one is ready, and for good if that fails. */
static void reload_engine(GstElement *element, gpointer serial_pointer) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(element);
  guint serial = GPOINTER_TO_UINT(serial_pointer);
  FvError err = {FV_OK, ""};
  FoveaEngineSettings settings;
  g_mutex_lock(&self->lock);
  gboolean outdated = serial != self->load_serial;
  fovea_engine_settings_copy(&settings, &self->settings);
  g_mutex_unlock(&self->lock);
  FoveaEngine *engine = outdated ? NULL : load_engine(self, &settings, &err), *unused = engine;
  fovea_engine_settings_finish(&settings);
  g_mutex_lock(&self->lock);
  outdated = outdated || serial != self->load_serial;
  if (engine && !outdated) {
    unused = self->next_engine;
    self->next_engine = engine;
  }
  g_mutex_unlock(&self->lock);
  if (!engine && !outdated)
    post_error(self, GST_MESSAGE_WARNING, &err);
  fovea_engine_free(unused);
}

/* A change of model, config, labels, signature policy, device, precision or threads: loads anew when an engine is there already. */
static void settings_changed(GstFoveaDetect *self) {
  GST_OBJECT_LOCK(self);
  gboolean running = GST_STATE(self) >= GST_STATE_PAUSED;
  GST_OBJECT_UNLOCK(self);
  g_mutex_lock(&self->lock);
  guint serial = ++self->load_serial;
  g_mutex_unlock(&self->lock);
  if (running)
    gst_element_call_async(GST_ELEMENT(self), reload_engine, GUINT_TO_POINTER(serial), NULL);
}

static void swap_engine(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  FoveaEngine *engine = self->next_engine;
  self->next_engine = NULL;
  g_mutex_unlock(&self->lock);
  if (!engine)
    return;
  take_engine(self, engine);
  g_array_set_size(self->objects, 0);
  self->since_analysed = G_MAXUINT - 1; /* the new model sees the next frame, whatever the interval */
}

static void close_engine(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  self->load_serial++;
  FoveaEngine *next = self->next_engine;
  self->next_engine = NULL;
  g_mutex_unlock(&self->lock);
  fovea_engine_free(next);
  take_engine(self, NULL);
  fovea_view_finish(&self->view);
}

/* Tells applications by an element message, and people by a warning. */
static void post_fallback(GstFoveaDetect *self, const gchar *from, const gchar *to, const gchar *why) {
  gchar *reason = g_utf8_make_valid(why, -1);
  GST_ELEMENT_WARNING(self, LIBRARY, FAILED, ("Device %s failed, going on with %s: %s", from, to, reason), (NULL));
  gst_element_post_message(GST_ELEMENT(self),
                           gst_message_new_element(GST_OBJECT(self), gst_structure_new("fovea-device-fallback", "from", G_TYPE_STRING, from, "to",
                                                                                       G_TYPE_STRING, to, "reason", G_TYPE_STRING, reason, NULL)));
  g_free(reason);
}

/* After the device has failed: loads the model for the CPU, while the stream waits. FALSE when that is not wanted or fails too; err is what failed last. */
static gboolean fall_back(GstFoveaDetect *self, const Tuning *tuning, FvError *err) {
  gchar *from = g_strdup(fv_plan_info(fovea_plan_get(self->engine->shared)).device);
  gboolean wanted = err->code == FV_ERR_DEVICE && tuning->fallback == FALLBACK_CPU && !g_str_equal(from, "cpu");
  FvError why = *err;
  FoveaEngine *engine = NULL;
  if (wanted) {
    FoveaEngineSettings settings;
    g_mutex_lock(&self->lock);
    fovea_engine_settings_copy(&settings, &self->settings);
    g_mutex_unlock(&self->lock);
    g_free(settings.device);
    settings.device = g_strdup("cpu");
    engine = load_engine(self, &settings, err);
    fovea_engine_settings_finish(&settings);
  }
  if (engine) {
    take_engine(self, engine);
    post_fallback(self, from, "cpu", why.message);
  }
  g_free(from);
  return engine != NULL;
}

/* --- one frame --------------------------------------------------------------------------------------------- */

static GstClockTime running_time(GstFoveaDetect *self, GstBuffer *buffer) {
  if (self->segment.format != GST_FORMAT_TIME)
    return GST_CLOCK_TIME_NONE;
  return gst_segment_to_running_time(&self->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
}

/* With keep-newest a frame is passed over when a newer one waits already, or when downstream has said that it comes too late. */
static gboolean wants_analysis(GstFoveaDetect *self, const Tuning *tuning, gboolean newest, GstClockTime now) {
  if (self->since_analysed < G_MAXUINT)
    self->since_analysed++;
  if (self->since_analysed < tuning->interval)
    return FALSE;
  if (tuning->policy == POLICY_KEEP_NEWEST && !newest)
    return FALSE;
  if (tuning->policy == POLICY_KEEP_ALL || !tuning->qos)
    return TRUE;
  g_mutex_lock(&self->lock);
  gboolean late = GST_CLOCK_TIME_IS_VALID(self->earliest) && GST_CLOCK_TIME_IS_VALID(now) && now < self->earliest;
  g_mutex_unlock(&self->lock);
  return !late;
}

static gboolean analyse(GstFoveaDetect *self, GstBuffer *buffer, const Tuning *tuning) {
  FvError err = {FV_OK, ""};
  gint64 start = g_get_monotonic_time();
  if (!fovea_view_open(&self->view, buffer, &self->info, fovea_engine_imports_dma(self->engine), &err)) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("%s", err.message), (NULL));
    return FALSE;
  }
  int rc = fovea_engine_detect(self->engine, &self->view, &tuning->detect, self->objects, &err);
  if (rc < 0 && fall_back(self, tuning, &err))
    rc = fovea_engine_detect(self->engine, &self->view, &tuning->detect, self->objects, &err);
  guint64 total = (guint64)(g_get_monotonic_time() - start) * 1000;
  fovea_view_close(&self->view);
  if (rc < 0) {
    post_error(self, GST_MESSAGE_ERROR, &err);
    return FALSE;
  }
  FvTiming timing = fv_session_timing(self->engine->session);
  const guint64 times[FOVEA_STAGE_COUNT] = {timing.preprocess_ns, timing.infer_ns, timing.postprocess_ns, total};
  FvTraffic traffic = fv_session_traffic(self->engine->session);
  fovea_stats_add_analysis(&self->stats, times, traffic.uploaded_bytes, traffic.read_bytes);
  return TRUE;
}

/* The answer to the LATENCY query follows what is measured; the pipeline hears of it when it is far off. */
static void review_latency(GstFoveaDetect *self) {
  if (--self->latency_countdown > 0)
    return;
  self->latency_countdown = LATENCY_REVIEW;
  GstClockTime measured = fovea_stats_quantile(&self->stats, FOVEA_STAGE_TOTAL, 0.95);
  g_mutex_lock(&self->lock);
  gboolean changed =
    measured > self->latency + MAX(self->latency / 4, LATENCY_TOLERANCE) || measured + LATENCY_TOLERANCE < self->latency / 2;
  if (changed)
    self->latency = measured;
  g_mutex_unlock(&self->lock);
  if (changed)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

static GstBuffer *attach(GstFoveaDetect *self, GstBuffer *buffer, const Tuning *tuning, gboolean analysed, gint64 entered) {
  gint width = GST_VIDEO_INFO_WIDTH(&self->info), height = GST_VIDEO_INFO_HEIGHT(&self->info);
  buffer = gst_buffer_make_writable(buffer);
  const FoveaObject *objects = (const FoveaObject *)(gconstpointer)self->objects->data;
  GArray *normal = self->objects->len ? fovea_objects_normalise(objects, self->objects->len, width, height) : NULL;
  FoveaFrameMeta *frame =
    fovea_frame_meta_add(buffer, self->seq++, self->engine->name, fovea_plan_label_quarks(self->engine->shared), normal);
  frame->model_sha256 = fovea_plan_model_sha256(self->engine->shared);
  frame->analysed = analysed;
  fovea_meta_write(buffer, tuning->meta, objects, self->objects->len, width, height);
  g_clear_pointer(&normal, g_array_unref);
  frame->latency = (GstClockTime)(g_get_monotonic_time() - entered) * 1000;
  return buffer;
}

/* Forgets boxes too old to be repeated. */
static void expire_objects(GstFoveaDetect *self, GstClockTime now) {
  if (GST_CLOCK_TIME_IS_VALID(now) && GST_CLOCK_TIME_IS_VALID(self->objects_time) &&
      (now < self->objects_time || now - self->objects_time > REPEAT_LIMIT))
    g_array_set_size(self->objects, 0);
}

static void sync_controlled(GstFoveaDetect *self, GstBuffer *buffer) {
  if (self->segment.format != GST_FORMAT_TIME)
    return;
  GstClockTime stream_time = gst_segment_to_stream_time(&self->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (GST_CLOCK_TIME_IS_VALID(stream_time))
    gst_object_sync_values(GST_OBJECT(self), stream_time);
}

static Tuning current_tuning(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  Tuning tuning = self->tuning;
  if (tuning.policy == POLICY_AUTO && self->live)
    tuning.policy = POLICY_KEEP_NEWEST;
  g_mutex_unlock(&self->lock);
  return tuning;
}

/* Returns the buffer to push, or NULL after an error was posted. Takes the buffer. */
static GstBuffer *process(GstFoveaDetect *self, GstBuffer *buffer, gint64 entered, gboolean newest) {
  sync_controlled(self, buffer);
  swap_engine(self);
  Tuning tuning = current_tuning(self);
  GstClockTime now = running_time(self, buffer);
  gboolean empty = gst_buffer_get_size(buffer) == 0; /* a gap buffer carries no picture */
  gboolean analysed = !empty && wants_analysis(self, &tuning, newest, now);
  if (analysed) {
    if (!analyse(self, buffer, &tuning)) {
      gst_buffer_unref(buffer);
      return NULL;
    }
    self->since_analysed = 0;
    self->objects_time = now;
    review_latency(self);
  } else {
    expire_objects(self, now);
    fovea_stats_count_skipped(&self->stats);
  }
  fovea_stats_count_frame(&self->stats);
  return attach(self, buffer, &tuning, analysed, entered);
}

/* --- two threads: the worker analyses, the source pad's task pushes ------------------------------------------ */

static void item_free(Item *item) {
  gst_mini_object_unref(item->object);
  g_free(item);
}

static void take_caps(GstFoveaDetect *self, GstEvent *event) {
  GstCaps *caps;
  gst_event_parse_caps(event, &caps);
  gst_video_info_from_caps(&self->info, caps); /* checked when it came in */
  g_array_set_size(self->objects, 0);          /* pixels of another size */
  self->since_analysed = G_MAXUINT - 1;
}

static void drop_queue(GstFoveaDetect *self, GQueue *queue, gboolean seen_by_worker) {
  Item *item;
  while ((item = g_queue_pop_head(queue))) {
    GstEvent *event = GST_IS_EVENT(item->object) ? GST_EVENT_CAST(item->object) : NULL;
    /* Upstream does not send again what sticks to the pad, so a flush must not lose it. */
    if (event && GST_EVENT_IS_STICKY(event) && GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT && GST_EVENT_TYPE(event) != GST_EVENT_EOS) {
      if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS && !seen_by_worker)
        take_caps(self, event);
      gst_pad_store_sticky_event(self->srcpad, event);
    }
    item_free(item);
  }
}

/* Called with the lock held, while both threads rest. */
static void drop_items(GstFoveaDetect *self) {
  drop_queue(self, &self->done, TRUE);
  drop_queue(self, &self->items, FALSE);
  self->waiting = self->done_waiting = 0;
  self->working = self->pushing = FALSE;
  g_cond_broadcast(&self->removed);
}

static void reset_stream(GstFoveaDetect *self) {
  gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
  g_array_set_size(self->objects, 0);
  self->objects_time = GST_CLOCK_TIME_NONE;
  self->since_analysed = G_MAXUINT - 1;
}

static void follow_event(GstFoveaDetect *self, GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: take_caps(self, event); break;
    case GST_EVENT_SEGMENT: gst_event_copy_segment(event, &self->segment); break;
    case GST_EVENT_STREAM_START: reset_stream(self); break;
    default: break;
  }
}

/* Waits for the next item of a queue and marks its thread busy; NULL when the thread has to stop. */
static Item *take_item(GstFoveaDetect *self, GQueue *queue, guint *buffers, gboolean *busy, gboolean *ret_last) {
  g_mutex_lock(&self->lock);
  while (g_queue_is_empty(queue) && self->flow == GST_FLOW_OK)
    g_cond_wait(&self->added, &self->lock);
  Item *item = self->flow == GST_FLOW_OK ? g_queue_pop_head(queue) : NULL;
  if (item && GST_IS_BUFFER(item->object))
    --*buffers;
  *busy = item != NULL;
  *ret_last = *buffers == 0;
  g_cond_broadcast(&self->removed);
  g_mutex_unlock(&self->lock);
  return item;
}

/* Called with the lock held. */
static Policy current_policy(const GstFoveaDetect *self) {
  if (self->tuning.policy != POLICY_AUTO)
    return self->tuning.policy;
  return self->live ? POLICY_KEEP_NEWEST : POLICY_KEEP_ALL;
}

/* Called with the lock held. A sink that takes nothing stops the worker, too: then frames wait, or are dropped, before it. */
static gboolean done_is_full(const GstFoveaDetect *self) {
  return self->done_waiting >= (current_policy(self) == POLICY_KEEP_ALL ? 1 : KEEP_NEWEST_DEPTH);
}

static void hand_over(GstFoveaDetect *self, Item *item, GstFlowReturn flow) {
  g_mutex_lock(&self->lock);
  gboolean is_buffer = flow == GST_FLOW_OK && GST_IS_BUFFER(item->object);
  while (is_buffer && self->flow == GST_FLOW_OK && done_is_full(self))
    g_cond_wait(&self->removed, &self->lock);
  if (flow == GST_FLOW_OK) {
    g_queue_push_tail(&self->done, item);
    self->done_waiting += is_buffer;
  } else if (self->flow == GST_FLOW_OK) {
    self->flow = flow;
  }
  self->working = FALSE;
  g_cond_broadcast(&self->added);
  g_cond_broadcast(&self->removed);
  g_mutex_unlock(&self->lock);
  if (flow != GST_FLOW_OK)
    g_free(item);
}

static GstFlowReturn process_item(GstFoveaDetect *self, Item *item, gboolean newest) {
  if (GST_IS_EVENT(item->object)) {
    follow_event(self, GST_EVENT_CAST(item->object));
    return GST_FLOW_OK;
  }
  GstBuffer *buffer = GST_BUFFER_CAST(item->object);
  if (GST_VIDEO_INFO_FORMAT(&self->info) == GST_VIDEO_FORMAT_UNKNOWN) {
    gst_buffer_unref(buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  buffer = process(self, buffer, item->entered, newest);
  item->object = GST_MINI_OBJECT_CAST(buffer);
  return buffer ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* A pause that came after the stop would undo it, and join wait for ever. */
static void pause_worker(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  if (gst_task_get_state(self->worker) == GST_TASK_STARTED)
    gst_task_pause(self->worker);
  g_mutex_unlock(&self->lock);
}

static void worker_loop(gpointer user_data) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(user_data);
  gboolean newest;
  Item *item = take_item(self, &self->items, &self->waiting, &self->working, &newest);
  if (item) {
    hand_over(self, item, process_item(self, item, newest));
    return;
  }
  pause_worker(self);
}

static void push_loop(gpointer user_data) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(user_data);
  gboolean last;
  Item *item = take_item(self, &self->done, &self->done_waiting, &self->pushing, &last);
  if (!item) {
    gst_pad_pause_task(self->srcpad);
    return;
  }
  GstFlowReturn flow = GST_FLOW_OK;
  if (GST_IS_BUFFER(item->object))
    flow = gst_pad_push(self->srcpad, GST_BUFFER_CAST(item->object));
  else
    gst_pad_push_event(self->srcpad, GST_EVENT_CAST(item->object));
  g_free(item);

  g_mutex_lock(&self->lock);
  self->pushing = FALSE;
  gboolean stopped = flow != GST_FLOW_OK && self->flow == GST_FLOW_OK;
  if (stopped)
    self->flow = flow;
  gboolean eos = self->eos;
  g_cond_broadcast(&self->added);
  g_cond_broadcast(&self->removed);
  g_mutex_unlock(&self->lock);
  /* After the end of the stream nobody is left upstream to whom chain could return the error. */
  if (stopped && eos && (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS)) {
    GST_ELEMENT_FLOW_ERROR(self, flow);
    gst_pad_push_event(self->srcpad, gst_event_new_eos());
  }
}

static gboolean start_threads(GstFoveaDetect *self) {
  return gst_task_start(self->worker) && gst_pad_start_task(self->srcpad, push_loop, self, NULL);
}

/* Called with a flow that makes both return; waits until they have. */
static void pause_threads(GstFoveaDetect *self) {
  gst_pad_pause_task(self->srcpad);
  pause_worker(self);
  g_rec_mutex_lock(&self->worker_lock);
  g_rec_mutex_unlock(&self->worker_lock);
}

/* Goes on after a push that ended in flow. What waits after the end of a segment is of that segment, and dropped. */
static void resume_after(GstFoveaDetect *self, GstFlowReturn flow) {
  g_mutex_lock(&self->lock);
  gboolean stopped = self->flow == flow;
  g_mutex_unlock(&self->lock);
  if (!stopped)
    return;
  pause_threads(self);
  g_mutex_lock(&self->lock);
  if (flow == GST_FLOW_EOS)
    drop_items(self);
  if (self->flow == flow)
    self->flow = GST_FLOW_OK;
  g_mutex_unlock(&self->lock);
  start_threads(self);
}

static gboolean stop_threads(GstFoveaDetect *self) {
  gboolean stopped = gst_pad_stop_task(self->srcpad);
  g_mutex_lock(&self->lock);
  gst_task_stop(self->worker);
  g_mutex_unlock(&self->lock);
  return gst_task_join(self->worker) && stopped;
}

/* --- sink pad: fills the queue ----------------------------------------------------------------------------- */

/* Called with the lock held. */
static void drop_oldest(GstFoveaDetect *self) {
  for (GList *link = self->items.head; link; link = link->next) {
    Item *item = link->data;
    if (!GST_IS_BUFFER(item->object))
      continue;
    item_free(item);
    g_queue_delete_link(&self->items, link);
    self->waiting--;
    self->gap = TRUE;
    fovea_stats_count_dropped(&self->stats);
    return;
  }
}

/* Called with the lock held, on the streaming thread. */
static void enqueue(GstFoveaDetect *self, GstMiniObject *object) {
  Item *item = g_new(Item, 1);
  *item = (Item){object, g_get_monotonic_time()};
  g_queue_push_tail(&self->items, item);
  g_cond_broadcast(&self->added);
}

static void find_liveness(GstFoveaDetect *self) {
  gboolean live = FALSE;
  GstQuery *query = gst_query_new_latency();
  if (gst_pad_peer_query(self->sinkpad, query))
    gst_query_parse_latency(query, &live, NULL, NULL);
  gst_query_unref(query);
  g_mutex_lock(&self->lock);
  self->live = live;
  self->live_known = TRUE;
  g_mutex_unlock(&self->lock);
  GST_DEBUG_OBJECT(self, "upstream is %s", live ? "live" : "not live");
}

static GstFlowReturn sink_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  g_mutex_lock(&self->lock);
  gboolean live_known = self->live_known;
  g_mutex_unlock(&self->lock);
  if (!live_known)
    find_liveness(self);

  g_mutex_lock(&self->lock);
  while (self->flow == GST_FLOW_OK && current_policy(self) == POLICY_KEEP_ALL && self->waiting >= KEEP_ALL_DEPTH)
    g_cond_wait(&self->removed, &self->lock);
  GstFlowReturn flow = self->eos ? GST_FLOW_EOS : self->flow;
  if (flow == GST_FLOW_OK) {
    if (self->waiting >= KEEP_NEWEST_DEPTH)
      drop_oldest(self);
    if (self->gap) {
      buffer = gst_buffer_make_writable(buffer);
      GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
      self->gap = FALSE;
    }
    self->waiting++;
    enqueue(self, GST_MINI_OBJECT_CAST(buffer));
    buffer = NULL;
  }
  g_mutex_unlock(&self->lock);
  gst_clear_buffer(&buffer);
  return flow;
}

static void flush_start(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  self->flow = GST_FLOW_FLUSHING;
  g_cond_broadcast(&self->added);
  g_cond_broadcast(&self->removed);
  g_mutex_unlock(&self->lock);
}

/* Called after flush_start, while both threads rest. */
static void flush_stop(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  drop_items(self);
  self->flow = GST_FLOW_OK;
  self->eos = FALSE;
  self->gap = FALSE;
  self->earliest = GST_CLOCK_TIME_NONE;
  g_mutex_unlock(&self->lock);
  reset_stream(self);
}

static gboolean check_caps(GstFoveaDetect *self, GstEvent *event) {
  GstCaps *caps;
  GstVideoInfo info;
  gst_event_parse_caps(event, &caps);
  if (gst_video_info_from_caps(&info, caps)) {
    g_mutex_lock(&self->lock);
    self->frame_duration = info.fps_n > 0 ? gst_util_uint64_scale_int(GST_SECOND, info.fps_d, info.fps_n) : 0;
    g_mutex_unlock(&self->lock);
    return TRUE;
  }
  GST_WARNING_OBJECT(self, "caps are not understood: %" GST_PTR_FORMAT, caps);
  return FALSE;
}

static gboolean enqueue_event(GstFoveaDetect *self, GstEvent *event) {
  GstEventType type = GST_EVENT_TYPE(event);
  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT)
    resume_after(self, GST_FLOW_EOS); /* downstream had enough of the last segment; it may want the next */
  g_mutex_lock(&self->lock);
  if (type == GST_EVENT_STREAM_START) {
    self->eos = FALSE;
    self->live_known = FALSE;
  }
  GstFlowReturn flow = self->flow;
  gboolean accepted = flow == GST_FLOW_OK && !self->eos;
  if (type == GST_EVENT_EOS)
    self->eos = TRUE;
  if (accepted)
    enqueue(self, GST_MINI_OBJECT_CAST(event));
  g_mutex_unlock(&self->lock);
  if (accepted)
    return TRUE;
  if (type == GST_EVENT_EOS && (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS))
    GST_ELEMENT_FLOW_ERROR(self, flow);
  gst_event_unref(event);
  return FALSE;
}

static gboolean sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  gboolean done;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
      done = gst_pad_push_event(self->srcpad, event);
      flush_start(self);
      pause_threads(self);
      return done;
    case GST_EVENT_FLUSH_STOP:
      done = gst_pad_push_event(self->srcpad, event);
      flush_stop(self);
      if (gst_pad_is_active(self->srcpad))
        start_threads(self);
      return done;
    case GST_EVENT_CAPS:
      if (!check_caps(self, event)) {
        gst_event_unref(event);
        return FALSE;
      }
      break;
    default: break;
  }
  return GST_EVENT_IS_SERIALIZED(event) ? enqueue_event(self, event) : gst_pad_push_event(self->srcpad, event);
}

/* Serialized queries come after everything that waits. */
static gboolean wait_drained(GstFoveaDetect *self) {
  g_mutex_lock(&self->lock);
  while (self->flow == GST_FLOW_OK &&
         (self->working || self->pushing || !g_queue_is_empty(&self->items) || !g_queue_is_empty(&self->done)))
    g_cond_wait(&self->removed, &self->lock);
  gboolean drained = self->flow == GST_FLOW_OK;
  g_mutex_unlock(&self->lock);
  return drained;
}

/* Strides and offsets of any kind are read through the video meta. What downstream offers goes up, with room for the frames that
 * wait here. */
static gboolean query_allocation(GstFoveaDetect *self, GstQuery *query) {
  gst_pad_peer_query(self->srcpad, query);
  if (!gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL))
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
  for (guint i = 0; i < gst_query_get_n_allocation_pools(query); i++) {
    GstBufferPool *pool;
    guint size, min, max;
    gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &min, &max);
    gst_query_set_nth_allocation_pool(query, i, pool, size, min + KEEP_ALL_HELD, max ? max + KEEP_ALL_HELD : 0);
    gst_clear_object(&pool);
  }
  return TRUE;
}

static gboolean is_not_dma(GstCapsFeatures *features, GstStructure *structure, gpointer data) {
  return !gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF);
}

/* DMA buffers are asked for only where the device takes them as they are: mapped, they are slower to read than other memory. */
static gboolean query_caps(GstFoveaDetect *self, GstPad *pad, GstQuery *query) {
  GstCaps *caps;
  if (!gst_pad_query_default(pad, GST_OBJECT(self), query))
    return FALSE;
  g_mutex_lock(&self->lock);
  gboolean imports_dma = self->imports_dma;
  g_mutex_unlock(&self->lock);
  if (imports_dma)
    return TRUE;
  gst_query_parse_caps_result(query, &caps);
  caps = gst_caps_copy(caps);
  gst_caps_filter_and_map_in_place(caps, is_not_dma, NULL);
  gst_query_set_caps_result(query, caps);
  gst_caps_unref(caps);
  return TRUE;
}

static gboolean sink_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS)
    return query_caps(self, pad, query);
  if (!GST_QUERY_IS_SERIALIZED(query))
    return gst_pad_query_default(pad, parent, query);
  if (!wait_drained(self))
    return FALSE;
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
    return query_allocation(self, query);
  return gst_pad_peer_query(self->srcpad, query);
}

static gboolean sink_activate_mode(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  if (!active)
    flush_start(self);
  return TRUE;
}

/* --- source pad -------------------------------------------------------------------------------------------- */

static gboolean src_activate_mode(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  if (active) {
    flush_stop(self);
    return start_threads(self);
  }
  flush_start(self);
  gboolean stopped = stop_threads(self);
  g_mutex_lock(&self->lock);
  drop_items(self);
  g_mutex_unlock(&self->lock);
  return stopped;
}

/* As the base classes do: after a late frame, give the chain twice the delay to catch up. */
static void note_qos(GstFoveaDetect *self, GstEvent *event) {
  GstQOSType type;
  gdouble proportion;
  GstClockTimeDiff diff;
  GstClockTime timestamp;
  gst_event_parse_qos(event, &type, &proportion, &diff, &timestamp);
  if (!GST_CLOCK_TIME_IS_VALID(timestamp))
    return;
  GstClockTimeDiff earliest = (GstClockTimeDiff)timestamp + (diff > 0 ? 2 * diff : diff);
  g_mutex_lock(&self->lock);
  self->earliest = (GstClockTime)MAX(earliest, 0);
  g_mutex_unlock(&self->lock);
}

static gboolean src_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  if (GST_EVENT_TYPE(event) == GST_EVENT_QOS)
    note_qos(self, event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE)
    resume_after(self, GST_FLOW_NOT_LINKED); /* downstream was linked anew */
  return gst_pad_push_event(self->sinkpad, event);
}

/* A frame waits for its own analysis, and where one lasts longer than a frame, for that of an earlier frame too. */
static gboolean query_latency(GstFoveaDetect *self, GstQuery *query) {
  if (!gst_pad_peer_query(self->sinkpad, query))
    return FALSE;
  gboolean live;
  GstClockTime min, max;
  gst_query_parse_latency(query, &live, &min, &max);
  g_mutex_lock(&self->lock);
  GstClockTime own = self->latency > self->frame_duration ? 2 * self->latency : self->latency;
  g_mutex_unlock(&self->lock);
  min += own;
  if (GST_CLOCK_TIME_IS_VALID(max))
    max += own;
  gst_query_set_latency(query, live, min, max);
  return TRUE;
}

static gboolean src_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(parent);
  return GST_QUERY_TYPE(query) == GST_QUERY_LATENCY ? query_latency(self, query) : gst_pad_query_default(pad, parent, query);
}

/* --- element ----------------------------------------------------------------------------------------------- */

static gboolean start(GstFoveaDetect *self) {
  if (!open_engine(self))
    return FALSE;
  fovea_stats_reset(&self->stats);
  gst_video_info_init(&self->info);
  self->seq = 0;
  self->latency_countdown = 4; /* the first look comes early: warm-up is a guess */
  g_mutex_lock(&self->lock);
  self->live_known = FALSE;
  g_mutex_unlock(&self->lock);
  reset_stream(self);
  return TRUE;
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(self))
    return GST_STATE_CHANGE_FAILURE;
  GstStateChangeReturn result = GST_ELEMENT_CLASS(gst_fovea_detect_parent_class)->change_state(element, transition);
  gboolean stopped = transition == GST_STATE_CHANGE_PAUSED_TO_READY;
  gboolean failed_start = transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (stopped || failed_start)
    close_engine(self);
  return result;
}

static GstStructure *make_stats(GstFoveaDetect *self) {
  GstStructure *structure = gst_structure_new_empty("foveadetect-stats");
  fovea_stats_fill(&self->stats, structure);
  g_mutex_lock(&self->lock);
  gst_structure_set(structure, "device", G_TYPE_STRING, self->device ? self->device : "", "family", G_TYPE_STRING,
                    self->family ? self->family : "", "weight-bytes", G_TYPE_UINT64, self->weight_bytes, "weight-sharers", G_TYPE_UINT,
                    self->shared ? fovea_plan_holders(self->shared) : 0, "latency-ms", G_TYPE_DOUBLE, (gdouble)self->latency / 1e6, "live",
                    G_TYPE_BOOLEAN, self->live, NULL);
  g_mutex_unlock(&self->lock);
  return structure;
}

static void replace_string(GstFoveaDetect *self, gchar **field, const GValue *value) {
  g_mutex_lock(&self->lock);
  g_free(*field);
  *field = g_value_dup_string(value);
  g_mutex_unlock(&self->lock);
  settings_changed(self);
}

static void set_meta_kind(GstFoveaDetect *self, FoveaMetaKind kind) {
  if (!fovea_meta_kind_available(kind)) {
    GST_WARNING_OBJECT(self, "this build has no GstAnalytics (GStreamer 1.24 and later); meta=auto is used");
    kind = FOVEA_META_AUTO;
  }
  g_mutex_lock(&self->lock);
  self->tuning.meta = kind;
  g_mutex_unlock(&self->lock);
}

static void set_tuning(GstFoveaDetect *self, guint id, const GValue *value) {
  g_mutex_lock(&self->lock);
  switch (id) {
    case PROP_THRESHOLD: self->tuning.detect.threshold = g_value_get_float(value); break;
    case PROP_IOU_THRESHOLD: self->tuning.detect.iou_threshold = g_value_get_float(value); break;
    case PROP_MAX_DETECTIONS: self->tuning.detect.max_detections = g_value_get_int(value); break;
    case PROP_INTERVAL:
    case PROP_INFERENCE_INTERVAL: self->tuning.interval = g_value_get_uint(value); break;
    case PROP_POLICY: self->tuning.policy = (Policy)g_value_get_enum(value); break;
    case PROP_FALLBACK: self->tuning.fallback = (Fallback)g_value_get_enum(value); break;
    case PROP_QOS: self->tuning.qos = g_value_get_boolean(value); break;
    default: break;
  }
  g_cond_broadcast(&self->removed); /* a chain that waits looks at the policy again */
  g_mutex_unlock(&self->lock);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(object);
  switch (id) {
    case PROP_MODEL: replace_string(self, &self->settings.model, value); break;
    case PROP_CONFIG: replace_string(self, &self->settings.config, value); break;
    case PROP_LABELS: replace_string(self, &self->settings.labels, value); break;
    case PROP_TRUSTED_KEYS: replace_string(self, &self->settings.trusted_keys, value); break;
    case PROP_SIGNATURE:
      g_mutex_lock(&self->lock);
      self->settings.signature = (FvSignaturePolicy)g_value_get_enum(value);
      g_mutex_unlock(&self->lock);
      settings_changed(self);
      break;
    case PROP_DEVICE: replace_string(self, &self->settings.device, value); break;
    case PROP_PRECISION:
      g_mutex_lock(&self->lock);
      self->settings.precision = (FvPrecision)g_value_get_enum(value);
      g_mutex_unlock(&self->lock);
      settings_changed(self);
      break;
    case PROP_THREADS:
      g_mutex_lock(&self->lock);
      self->settings.threads = g_value_get_int(value);
      g_mutex_unlock(&self->lock);
      settings_changed(self);
      break;
    case PROP_META: set_meta_kind(self, (FoveaMetaKind)g_value_get_enum(value)); break;
    case PROP_BATCH_SIZE: break; /* 1 is the only value */
    case PROP_THRESHOLD:
    case PROP_IOU_THRESHOLD:
    case PROP_MAX_DETECTIONS:
    case PROP_INTERVAL:
    case PROP_INFERENCE_INTERVAL:
    case PROP_POLICY:
    case PROP_FALLBACK:
    case PROP_QOS: set_tuning(self, id, value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(object);
  if (id == PROP_STATS) {
    g_value_take_boxed(value, make_stats(self));
    return;
  }
  g_mutex_lock(&self->lock);
  switch (id) {
    case PROP_MODEL: g_value_set_string(value, self->settings.model); break;
    case PROP_CONFIG: g_value_set_string(value, self->settings.config); break;
    case PROP_LABELS: g_value_set_string(value, self->settings.labels); break;
    case PROP_TRUSTED_KEYS: g_value_set_string(value, self->settings.trusted_keys); break;
    case PROP_SIGNATURE: g_value_set_enum(value, self->settings.signature); break;
    case PROP_DEVICE: g_value_set_string(value, self->settings.device); break;
    case PROP_PRECISION: g_value_set_enum(value, self->settings.precision); break;
    case PROP_THREADS: g_value_set_int(value, self->settings.threads); break;
    case PROP_THRESHOLD: g_value_set_float(value, self->tuning.detect.threshold); break;
    case PROP_IOU_THRESHOLD: g_value_set_float(value, self->tuning.detect.iou_threshold); break;
    case PROP_MAX_DETECTIONS: g_value_set_int(value, self->tuning.detect.max_detections); break;
    case PROP_INTERVAL:
    case PROP_INFERENCE_INTERVAL: g_value_set_uint(value, self->tuning.interval); break;
    case PROP_BATCH_SIZE: g_value_set_uint(value, 1); break;
    case PROP_META: g_value_set_enum(value, self->tuning.meta); break;
    case PROP_POLICY: g_value_set_enum(value, self->tuning.policy); break;
    case PROP_FALLBACK: g_value_set_enum(value, self->tuning.fallback); break;
    case PROP_QOS: g_value_set_boolean(value, self->tuning.qos); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  g_mutex_unlock(&self->lock);
}

static void finalize(GObject *object) {
  GstFoveaDetect *self = GST_FOVEA_DETECT(object);
  g_queue_clear_full(&self->items, (GDestroyNotify)item_free);
  g_queue_clear_full(&self->done, (GDestroyNotify)item_free);
  gst_object_unref(self->worker);
  g_rec_mutex_clear(&self->worker_lock);
  fovea_engine_settings_finish(&self->settings);
  g_free(self->device);
  g_array_unref(self->objects);
  fovea_stats_finish(&self->stats);
  g_cond_clear(&self->added);
  g_cond_clear(&self->removed);
  g_mutex_clear(&self->lock);
  G_OBJECT_CLASS(gst_fovea_detect_parent_class)->finalize(object);
}

static void gst_fovea_detect_init(GstFoveaDetect *self) {
  g_mutex_init(&self->lock);
  g_cond_init(&self->added);
  g_cond_init(&self->removed);
  g_queue_init(&self->items);
  g_queue_init(&self->done);
  g_rec_mutex_init(&self->worker_lock);
  self->worker = gst_task_new(worker_loop, self, NULL);
  gst_task_set_lock(self->worker, &self->worker_lock);
  fovea_stats_init(&self->stats);
  self->flow = GST_FLOW_FLUSHING;
  self->earliest = GST_CLOCK_TIME_NONE;
  self->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  self->settings.device = g_strdup(DEFAULT_DEVICE);
  self->tuning = (Tuning){.detect.max_detections = DEFAULT_MAX_DETECTIONS, .interval = 1, .qos = TRUE};
  gst_video_info_init(&self->info);
  reset_stream(self);

  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, sink_chain);
  gst_pad_set_event_function(self->sinkpad, sink_event);
  gst_pad_set_query_function(self->sinkpad, sink_query);
  gst_pad_set_activatemode_function(self->sinkpad, sink_activate_mode);
  GST_PAD_SET_PROXY_CAPS(self->sinkpad);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(self->srcpad, src_event);
  gst_pad_set_query_function(self->srcpad, src_query);
  gst_pad_set_activatemode_function(self->srcpad, src_activate_mode);
  GST_PAD_SET_PROXY_CAPS(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}

static void install_model_properties(GObjectClass *class, GParamFlags flags) {
  g_object_class_install_property(
    class, PROP_MODEL,
    g_param_spec_string("model", "Model",
                        "Model file (.onnx or .fovea), or the name of an installed one; unset: " FV_DEFAULT_MODEL
                        ", which comes with Fovea. A change while playing loads the new one beside the old and swaps at a frame", NULL,
                        flags));
  g_object_class_install_property(class, PROP_CONFIG,
                                  g_param_spec_string("config", "Description",
                                                      "YAML that describes the model's input and outputs; unset: MODEL.yaml "
                                                      "beside the model, the known descriptions, the graph itself",
                                                      NULL, flags));
  g_object_class_install_property(
    class, PROP_LABELS,
    g_param_spec_string("labels", "Labels", "File of class names, one a line; unset: those of the description", NULL, flags));
  g_object_class_install_property(
    class, PROP_SIGNATURE,
    g_param_spec_enum("signature", "Signature policy", "Must the model be a .fovea file signed with a trusted key?", SIGNATURE_TYPE,
                      FV_SIGNATURE_WARN, flags));
  g_object_class_install_property(
    class, PROP_TRUSTED_KEYS,
    g_param_spec_string("trusted-keys", "Trusted keys",
                        "Directory of public keys (*.pub); unset: the user's fovea/trusted and /etc/fovea/trusted", NULL, flags));
  g_object_class_install_property(
    class, PROP_DEVICE,
    g_param_spec_string("device", "Device",
                        "Where to run: auto, cpu, vulkan, vulkan:N or vulkan:NAME; auto is the one that runs the model fastest, measured once and remembered", DEFAULT_DEVICE,
                        flags));
  g_object_class_install_property(
    class, PROP_PRECISION,
    g_param_spec_enum("precision", "Precision", "How floats lie in memory and are computed with", PRECISION_TYPE, FV_PRECISION_AUTO, flags));
  g_object_class_install_property(
    class, PROP_FALLBACK,
    g_param_spec_enum("fallback", "Fallback",
                      "When the device fails while playing: go on with the CPU and post an element message fovea-device-fallback, or end with an error",
                      FALLBACK_TYPE, FALLBACK_CPU, flags));
  g_object_class_install_property(
    class, PROP_THREADS,
    g_param_spec_int("threads", "Threads", "CPU threads of one analysis; 0: one per core", 0, FV_MAX_THREADS, 0, flags));
}

static void install_tuning_properties(GObjectClass *class, GParamFlags flags) {
  g_object_class_install_property(
    class, PROP_THRESHOLD,
    g_param_spec_float("threshold", "Threshold", "Lowest score of a detection, 0 to 1; 0: the model's own", 0, 1, 0,
                       flags | GST_PARAM_CONTROLLABLE));
  g_object_class_install_property(
    class, PROP_IOU_THRESHOLD,
    g_param_spec_float("iou-threshold", "IoU threshold",
                       "Overlap of two boxes of a class beyond which the weaker goes, 0 to 1; 0: the model's own", 0, 1, 0,
                       flags | GST_PARAM_CONTROLLABLE));
  g_object_class_install_property(
    class, PROP_MAX_DETECTIONS,
    g_param_spec_int("max-detections", "Most detections", "Most detections of a frame, best scores first", 1, FV_MAX_DETECTIONS,
                     DEFAULT_MAX_DETECTIONS, flags | GST_PARAM_CONTROLLABLE));
  g_object_class_install_property(
    class, PROP_INTERVAL,
    g_param_spec_uint("interval", "Interval", "Analyse every N-th frame; 1: every frame. The others carry the last boxes", 1,
                      G_MAXINT, 1, flags | GST_PARAM_CONTROLLABLE));
  g_object_class_install_property(
    class, PROP_INFERENCE_INTERVAL,
    g_param_spec_uint("inference-interval", "Interval", "The same as interval", 1, G_MAXINT, 1, flags));
  g_object_class_install_property(
    class, PROP_META,
    g_param_spec_enum("meta", "Meta", "Kind of metadata written; auto: analytics where this build has it, else roi",
                      FOVEA_TYPE_META_KIND, FOVEA_META_AUTO, flags));
  g_object_class_install_property(
    class, PROP_POLICY,
    g_param_spec_enum("policy", "Policy", "What happens to frames that come faster than they can be analysed", POLICY_TYPE,
                      POLICY_AUTO, flags));
  g_object_class_install_property(
    class, PROP_QOS,
    g_param_spec_boolean("qos", "Quality of service",
                         "Do not analyse frames that the sink says are late; not with policy=keep-all", TRUE, flags));
}

static void gst_fovea_detect_class_init(GstFoveaDetectClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_model_properties(object_class, flags);
  install_tuning_properties(object_class, flags);
  g_object_class_install_property(
    object_class, PROP_BATCH_SIZE,
    g_param_spec_uint("batch-size", "Batch size", "Frames analysed at once; 1 is the only value for now", 1, 1, 1,
                      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property(
    object_class, PROP_STATS,
    g_param_spec_boxed(
      "stats", "Statistics",
      "Counters, frames per second, and 50th, 95th and 99th percentile of each stage in ms over the last 256 frames",
      GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  element_class->change_state = change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Fovea object detector", "Analyzer/Video",
                                        "Finds objects in video and describes them in metadata", "Fovea");
  gst_type_mark_as_plugin_api(POLICY_TYPE, 0);
  gst_type_mark_as_plugin_api(PRECISION_TYPE, 0);
  gst_type_mark_as_plugin_api(FALLBACK_TYPE, 0);
  gst_type_mark_as_plugin_api(FOVEA_TYPE_META_KIND, 0);
}
