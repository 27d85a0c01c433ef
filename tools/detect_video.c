#include <signal.h>
#include <string.h>

#include <glib-unix.h>
#include <gst/video/video.h>

#include "build.h"
#include "compose.h"
#include "detect.h"
#include "common/framemeta.h"
#include "common/meta.h"
#include "progress.h"
#include "tally.h"

#define PROGRESS_MS 100
#define OVERLAY_NAME "overlay"

typedef struct Run {
  const FvDetectJob *job;
  GstElement *pipeline, *detect;
  FvSheet *sheet; /* or NULL; under the lock */
  GList *outputs; /* elements behind the detector, the last one first; not started until data arrives */
  GMainLoop *loop;
  FvProgress progress;
  gboolean counting; /* the length is known, the progress bar on */
  char *missing;
  int result;
  gboolean interrupted;
  gint64 started_us;

  GMutex lock; /* of what the streaming thread writes */
  FvTally tally;
  GArray *objects;
} Run;

/* --- The elements ------------------------------------------------------------------------------------------------ */

static void set_text(FvStep *step, const char *name, const char *value) {
  if (value != NULL) fv_step_set(step, name, value, step->place);
}

static void set_number(FvStep *step, const char *name, double value) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  if (value > 0) fv_step_set(step, name, g_ascii_dtostr(text, sizeof text, value), step->place);
}

static void add_detector(GPtrArray *chain, const FvDetectJob *job) {
  FvPlace nowhere = {0, 0};
  FvStep *step = fv_chain_add(chain, "foveadetect", FV_DETECT_NAME, nowhere);
  set_text(step, "model", job->model);
  set_text(step, "config", job->options.config);
  set_text(step, "labels", job->options.labels);
  set_text(step, "signature", job->options.signature);
  set_text(step, "trusted-keys", job->options.trusted_keys);
  set_text(step, "device", job->options.device);
  set_text(step, "precision", job->options.precision);
  set_number(step, "threads", job->options.threads);
  set_number(step, "threshold", job->threshold);
  set_number(step, "iou-threshold", job->iou_threshold);
  set_number(step, "max-detections", job->max_detections);
  set_number(step, "interval", job->interval);
  fv_step_set(step, "policy", "keep-all", nowhere);
}

static void add_publisher(GPtrArray *chain, const FvDetectJob *job) {
  FvPlace nowhere = {0, 0};
  char *source = g_path_get_basename(job->input);
  FvStep *step = fv_chain_add(chain, "foveapublish", NULL, nowhere);
  fv_step_set(step, "source", source, nowhere);
  if (strcmp(job->json, "-") == 0) {
    fv_step_set(step, "method", "stdout", nowhere);
  } else {
    fv_step_set(step, "method", "file", nowhere);
    fv_step_set(step, "file-path", job->json, nowhere);
  }
  g_free(source);
}

static GPtrArray *make_chain(const FvDetectJob *job, FvProblems *problems) {
  FvPlace nowhere = {0, 0};
  GPtrArray *chain = fv_chain_new();
  fv_compose_file_source(chain, job->input, nowhere);
  fv_chain_add(chain, "videoconvert", NULL, nowhere);
  add_detector(chain, job);
  if (job->json != NULL) add_publisher(chain, job);
  if (job->output != NULL || job->sheet != NULL) fv_chain_add(chain, "foveaoverlay", OVERLAY_NAME, nowhere);
  if (job->output != NULL) {
    fv_compose_recording(chain, job->output, FV_CODEC_AUTO, 0, nowhere, problems);
  } else {
    fv_step_set(fv_chain_add(chain, "fakesink", NULL, nowhere), "sync", "false", nowhere);
  }
  return chain;
}

/* --- Outputs ----------------------------------------------------------------------------------------------------- */

static GstElement *next_element(GstElement *element) {
  GstPad *src = gst_element_get_static_pad(element, "src"), *sink = src != NULL ? gst_pad_get_peer(src) : NULL;
  GstElement *next = sink != NULL ? gst_pad_get_parent_element(sink) : NULL;
  gst_clear_object(&src);
  gst_clear_object(&sink);
  return next;
}

/* Starting an output empties its file. That waits until the model is loaded and the input has shown that it is a video: what cannot be
 * analysed must not cost the user the file of last time. */
static void hold_outputs(Run *run) {
  for (GstElement *element = next_element(run->detect); element != NULL; element = next_element(element)) {
    gst_element_set_locked_state(element, TRUE);
    run->outputs = g_list_prepend(run->outputs, element);
  }
}

static GstPadProbeReturn start_outputs(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  for (GList *item = ((Run *)user)->outputs; item != NULL; item = item->next) {
    gst_element_set_locked_state(item->data, FALSE);
    gst_element_sync_state_with_parent(item->data); /* a failure comes as a message, with its reason */
  }
  return GST_PAD_PROBE_REMOVE;
}

/* --- While it runs ----------------------------------------------------------------------------------------------- */

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  Run *run = user;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  FoveaFrameMeta *known = fovea_frame_meta_get(buffer);
  GstCaps *caps = gst_pad_get_current_caps(pad);
  GstVideoInfo video;
  g_mutex_lock(&run->lock);
  fv_tally_begin_frame(&run->tally);
  g_array_set_size(run->objects, 0);
  if (caps != NULL && gst_video_info_from_caps(&video, caps))
    fovea_meta_read(buffer, video.width, video.height, known != NULL ? known->label_quarks : NULL, run->objects);
  for (guint i = 0; i < run->objects->len; i++) {
    const FoveaObject *object = &g_array_index(run->objects, FoveaObject, i);
    fv_tally_add(&run->tally, object->label, object->confidence);
  }
  g_mutex_unlock(&run->lock);
  gst_clear_caps(&caps);
  return GST_PAD_PROBE_OK;
}

/* Behind the overlay: what the annotated video shows. */
static GstPadProbeReturn on_drawn(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  Run *run = user;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  GstCaps *caps = gst_pad_get_current_caps(pad);
  GstClockTime time = GST_CLOCK_TIME_NONE;
  if (event != NULL) {
    const GstSegment *segment;
    gst_event_parse_segment(event, &segment);
    if (segment->format == GST_FORMAT_TIME) time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    gst_event_unref(event);
  }
  g_mutex_lock(&run->lock);
  if (caps != NULL) fv_sheet_add(run->sheet, buffer, caps, time);
  g_mutex_unlock(&run->lock);
  gst_clear_caps(&caps);
  return GST_PAD_PROBE_OK;
}

/* Frames of the whole file by its length and frame rate; 0 while not known. */
static gint64 expected_frames(Run *run) {
  gint64 duration = 0;
  GstPad *pad = gst_element_get_static_pad(run->detect, "src");
  GstCaps *caps = gst_pad_get_current_caps(pad);
  GstVideoInfo video;
  gint64 frames = 0;
  if (caps != NULL && gst_video_info_from_caps(&video, caps) && video.fps_n > 0 && gst_element_query_duration(run->pipeline, GST_FORMAT_TIME, &duration) &&
      duration > 0)
    frames = (gint64)gst_util_uint64_scale_round((guint64)duration, (guint64)video.fps_n, (guint64)video.fps_d * GST_SECOND);
  gst_clear_caps(&caps);
  gst_object_unref(pad);
  return frames;
}

static gboolean on_tick(gpointer user) {
  Run *run = user;
  g_mutex_lock(&run->lock);
  guint64 frames = run->tally.frames;
  g_mutex_unlock(&run->lock);
  if (frames > 0 && !run->counting) {
    fv_progress_start(&run->progress, "frames", expected_frames(run));
    run->counting = TRUE;
  }
  if (run->counting) fv_progress_show(&run->progress, (gint64)frames);
  return G_SOURCE_CONTINUE;
}

/* The first time, files are brought to a proper end; the second time there is no patience left. */
static gboolean on_interrupt(gpointer user) {
  Run *run = user;
  if (run->interrupted) {
    g_main_loop_quit(run->loop);
  } else {
    run->interrupted = TRUE;
    gst_element_send_event(run->pipeline, gst_event_new_eos());
  }
  return G_SOURCE_CONTINUE;
}

static void on_error(Run *run, GstMessage *message) {
  char *sentence = fv_error_sentence(message, run->missing);
  if (run->counting) fv_progress_end(&run->progress);
  /* Our elements name the file that is at fault; others mean the input. */
  gboolean ours = g_str_has_prefix(G_OBJECT_TYPE_NAME(GST_MESSAGE_SRC(message)), "GstFovea");
  run->result = ours ? fv_fail("detect", "%s", sentence) : fv_fail("detect", "%s: %s", run->job->input, sentence);
  g_free(sentence);
  g_main_loop_quit(run->loop);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user) {
  Run *run = user;
  switch (GST_MESSAGE_TYPE(message)) {
  case GST_MESSAGE_ELEMENT:
    if (run->missing == NULL) run->missing = fv_missing_plugin(message);
    break;
  case GST_MESSAGE_ERROR: on_error(run, message); break;
  case GST_MESSAGE_EOS: g_main_loop_quit(run->loop); break;
  default: break;
  }
  return G_SOURCE_CONTINUE;
}

/* --- The summary ------------------------------------------------------------------------------------------------- */

static double figure(const GstStructure *stats, const char *name) {
  double value = 0;
  gst_structure_get_double(stats, name, &value);
  return value;
}

static void report_times(Run *run, FILE *to) {
  GstStructure *stats = NULL;
  g_object_get(run->detect, "stats", &stats, NULL);
  if (stats == NULL) return;
  const char *device = gst_structure_get_string(stats, "device");
  fprintf(to, "analysis of a frame on %s: median %.1f ms, 95 %% within %.1f ms (preprocess %.1f, infer %.1f, postprocess %.1f)\n",
          device != NULL ? device : "?", figure(stats, "total-p50-ms"), figure(stats, "total-p95-ms"), figure(stats, "preprocess-p50-ms"),
          figure(stats, "infer-p50-ms"), figure(stats, "postprocess-p50-ms"));
  gst_structure_free(stats);
}

static void report(Run *run) {
  const FvDetectJob *job = run->job;
  FILE *to = fv_detect_report(job);
  if (to == NULL) return;
  double seconds = (double)(g_get_monotonic_time() - run->started_us) / G_USEC_PER_SEC;
  fprintf(to, "%s: %" G_GUINT64_FORMAT " frames in %.1f s (%.1f/s), %" G_GUINT64_FORMAT " objects%s\n", job->input, run->tally.frames, seconds,
          seconds > 0 ? (double)run->tally.frames / seconds : 0.0, run->tally.objects, run->interrupted ? ", interrupted" : "");
  fv_tally_print(&run->tally, to);
  report_times(run, to);
  if (job->output != NULL) fprintf(to, "annotated video: %s\n", job->output);
  if (job->sheet != NULL) fprintf(to, "contact sheet: %s\n", job->sheet);
  if (job->json != NULL && strcmp(job->json, "-") != 0) fprintf(to, "records: %s\n", job->json);
}

static int write_sheet(Run *run) {
  FvError err;
  if (run->sheet == NULL) return FV_EXIT_OK;
  g_mutex_lock(&run->lock);
  int code = fv_sheet_write(run->sheet, run->job->sheet, &err);
  g_mutex_unlock(&run->lock);
  return code < 0 ? fv_fail("detect", "%s", err.message) : FV_EXIT_OK;
}

/* --- The whole --------------------------------------------------------------------------------------------------- */

static void run_loop(Run *run) {
  GstBus *bus = gst_element_get_bus(run->pipeline);
  guint sources[4] = {gst_bus_add_watch(bus, on_message, run), g_unix_signal_add(SIGINT, on_interrupt, run), g_unix_signal_add(SIGTERM, on_interrupt, run)};
  if (!run->job->quiet) sources[3] = g_timeout_add(PROGRESS_MS, on_tick, run);
  run->started_us = g_get_monotonic_time();
  /* The model first. Failures come as messages, with their reason, once the pipeline is READY. */
  gst_element_set_state(run->pipeline, GST_STATE_READY);
  if (gst_element_set_state(run->detect, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE) gst_element_set_state(run->pipeline, GST_STATE_PLAYING);
  g_main_loop_run(run->loop);
  for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
    if (sources[i] != 0) g_source_remove(sources[i]);
  gst_object_unref(bus);
  if (run->counting) fv_progress_end(&run->progress);
}

static void watch_sheet(Run *run) {
  GstElement *overlay = gst_bin_get_by_name(GST_BIN(run->pipeline), OVERLAY_NAME);
  GstPad *pad = gst_element_get_static_pad(overlay, "src");
  run->sheet = fv_sheet_new(run->job->grid);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_drawn, run, NULL);
  gst_object_unref(pad);
  gst_object_unref(overlay);
}

static void run_pipeline(Run *run) {
  run->loop = g_main_loop_new(NULL, FALSE);
  run->detect = gst_bin_get_by_name(GST_BIN(run->pipeline), FV_DETECT_NAME);
  run->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  g_mutex_init(&run->lock);
  fv_tally_init(&run->tally);
  hold_outputs(run);
  GstPad *pad = gst_element_get_static_pad(run->detect, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM, start_outputs, run, NULL);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, run, NULL);
  gst_object_unref(pad);
  if (run->job->sheet != NULL) watch_sheet(run);
  run_loop(run);
  if (run->result == FV_EXIT_OK && run->tally.frames == 0 && !run->interrupted)
    run->result = fv_fail("detect", "%s: not one frame could be decoded", run->job->input);
  if (run->result == FV_EXIT_OK) run->result = write_sheet(run);
  if (run->result == FV_EXIT_OK) report(run); /* the element still has its figures */
  gst_element_set_state(run->pipeline, GST_STATE_NULL);
  if (run->result == FV_EXIT_OK && run->interrupted) run->result = FV_EXIT_INTERRUPTED;
  g_list_free_full(run->outputs, gst_object_unref);
  gst_object_unref(run->detect);
  g_main_loop_unref(run->loop);
  fv_tally_finish(&run->tally);
  fv_sheet_free(run->sheet);
  g_array_unref(run->objects);
  g_mutex_clear(&run->lock);
  g_free(run->missing);
}

int fv_detect_video(const FvDetectJob *job) {
  Run run = {.job = job};
  FvProblems problems;
  fv_problems_init(&problems, job->input);
  GPtrArray *chain = make_chain(job, &problems);
  run.pipeline = problems.items->len == 0 ? fv_build_pipeline(chain, "detect", &problems, NULL) : NULL;
  g_ptr_array_unref(chain);
  if (run.pipeline != NULL) {
    gst_object_ref_sink(run.pipeline);
    run_pipeline(&run);
    gst_object_unref(run.pipeline);
  } else {
    run.result = fv_fail("detect", "%s", ((const FvProblem *)g_ptr_array_index(problems.items, 0))->message);
  }
  fv_problems_finish(&problems);
  return run.result;
}
