#include <string.h>

#include <gst/app/app.h>
#include <gst/video/video.h>

#include "build.h"
#include "detect.h"
#include "common/meta.h"
#include "output.h"
#include "picture.h"
#include "common/json.h"

#define SCRATCH 32 /* fv_description_label wants 24 */

typedef struct Work {
  const FvDetectJob *job;
  FvModel *model;
  FvPlan *plan;
  FvSession *session;
  FvPicture picture;
  FvFrame frame;
  FvDetection found[FV_MAX_DETECTIONS];
  int count;
  GArray *objects; /* of FoveaObject */
} Work;

static int find(Work *work) {
  const FvDetectJob *job = work->job;
  FvError err;
  int result = fv_model_options_open(&job->options, "detect", job->model, &work->model);
  if (result == FV_EXIT_OK) result = fv_model_expect_detector("detect", work->model);
  if (result == FV_EXIT_OK) result = fv_model_options_plan(&job->options, "detect", work->model, FV_PLAN_NO_MEASURE, NULL, 0, &work->plan);
  if (result != FV_EXIT_OK) return result;
  FvDetectParams params = {(float)job->threshold, (float)job->iou_threshold, job->max_detections};
  if (fv_session_create(work->plan, &work->session, &err) < 0 || fv_picture_read(job->input, true, &work->picture, &err) < 0)
    return fv_fail("detect", "%s", err.message);
  work->frame = fv_picture_frame(&work->picture);
  work->count = fv_session_detect(work->session, &work->frame, &params, work->found, FV_MAX_DETECTIONS, &err);
  return work->count < 0 ? fv_fail("detect", "%s", err.message) : FV_EXIT_OK;
}

static void name_objects(Work *work) {
  char scratch[SCRATCH];
  for (int i = 0; i < work->count; i++) {
    const FvDetection *found = &work->found[i];
    const char *label = fv_description_label(fv_model_description(work->model), found->label, scratch);
    FoveaObject object = fovea_object_from_detection(found, g_intern_string(label));
    g_array_append_val(work->objects, object);
  }
}

static int write_record(const Work *work) {
  const FvDetectJob *job = work->job;
  if (job->json == NULL) return FV_EXIT_OK;
  FvTiming timing = fv_session_timing(work->session);
  char *source = g_path_get_basename(job->input);
  FoveaRecord record = {
    .source = source, .timestamp = GST_CLOCK_TIME_NONE, .utc = -1, .width = work->frame.width, .height = work->frame.height,
    .model = fv_model_description(work->model)->name, .analysed = TRUE,
    .latency_ms = (double)(timing.preprocess_ns + timing.infer_ns + timing.postprocess_ns) / 1e6,
    .objects = (const FoveaObject *)(gconstpointer)work->objects->data, .object_count = work->objects->len,
  };
  GString *line = g_string_new(NULL);
  fovea_json_append_record(line, &record);
  g_free(source);
  int result = fv_output_write("detect", job->json, line->str);
  g_string_free(line, TRUE);
  return result;
}

/* The picture as a buffer with the objects on it, rows packed as GstVideoInfo wants them. */
static GstSample *make_sample(const Work *work) {
  const FvFrame *frame = &work->frame;
  GstVideoInfo info;
  gst_video_info_set_format(&info, frame->format == FV_FORMAT_RGBA ? GST_VIDEO_FORMAT_RGBA : GST_VIDEO_FORMAT_RGB, (guint)frame->width, (guint)frame->height);
  info.fps_n = 0;
  info.fps_d = 1;
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, info.size, NULL);
  gsize bytes = (gsize)fv_format_row_bytes(frame->format, 0, frame->width);
  for (int y = 0; y < frame->height; y++)
    gst_buffer_fill(buffer, (gsize)y * (gsize)info.stride[0], frame->plane[0] + (gssize)y * frame->stride[0], bytes);
  fovea_meta_write(buffer, FOVEA_META_AUTO, (const FoveaObject *)(gconstpointer)work->objects->data, work->objects->len, frame->width, frame->height);
  GstCaps *caps = gst_video_info_to_caps(&info);
  GstSample *sample = gst_sample_new(buffer, caps, NULL, NULL);
  gst_caps_unref(caps);
  gst_buffer_unref(buffer);
  return sample;
}

/* Runs one sample through foveaoverlay, which draws on videos too. */
static GstSample *draw(GstSample *sample, FvProblems *problems) {
  GPtrArray *chain = fv_chain_new();
  FvPlace nowhere = {0, 0};
  fv_chain_add(chain, "appsrc", "source", nowhere);
  fv_chain_add(chain, "foveaoverlay", NULL, nowhere);
  fv_step_set(fv_chain_add(chain, "appsink", "sink", nowhere), "sync", "false", nowhere);
  GstElement *pipeline = fv_build_pipeline(chain, "picture", problems, NULL);
  g_ptr_array_unref(chain);
  if (pipeline == NULL) return NULL;
  gst_object_ref_sink(pipeline);
  GstElement *source = gst_bin_get_by_name(GST_BIN(pipeline), "source"), *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  gst_app_src_push_sample(GST_APP_SRC(source), sample);
  gst_app_src_end_of_stream(GST_APP_SRC(source));
  GstSample *drawn = gst_app_sink_pull_sample(GST_APP_SINK(sink));
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(source);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
  return drawn;
}

static int write_drawn(const Work *work, GstSample *drawn) {
  GstVideoInfo info;
  GstVideoFrame video;
  FvError err;
  if (!gst_video_info_from_caps(&info, gst_sample_get_caps(drawn)) || !gst_video_frame_map(&video, &info, gst_sample_get_buffer(drawn), GST_MAP_READ))
    return fv_fail("detect", "the annotated picture cannot be read");
  FvFrame frame = {work->frame.format, work->frame.width, work->frame.height, {GST_VIDEO_FRAME_PLANE_DATA(&video, 0)}, {GST_VIDEO_FRAME_PLANE_STRIDE(&video, 0)}};
  int code = fv_picture_write(work->job->output, &frame, &err);
  gst_video_frame_unmap(&video);
  return code < 0 ? fv_fail("detect", "%s", err.message) : FV_EXIT_OK;
}

static int write_picture(const Work *work) {
  if (work->job->output == NULL) return FV_EXIT_OK;
  FvProblems problems;
  fv_problems_init(&problems, work->job->input);
  GstSample *sample = make_sample(work), *drawn = draw(sample, &problems);
  int result;
  if (drawn != NULL) {
    result = write_drawn(work, drawn);
    gst_sample_unref(drawn);
  } else if (problems.items->len > 0) {
    result = fv_fail("detect", "%s", ((const FvProblem *)g_ptr_array_index(problems.items, 0))->message);
  } else {
    result = fv_fail("detect", "the picture could not be annotated");
  }
  gst_sample_unref(sample);
  fv_problems_finish(&problems);
  return result;
}

static void report(const Work *work) {
  FILE *to = fv_detect_report(work->job);
  if (to == NULL) return;
  FvTiming timing = fv_session_timing(work->session);
  fprintf(to, "%s: %u object%s, %dx%d pixels\n", work->job->input, work->objects->len, work->objects->len == 1 ? "" : "s", work->frame.width, work->frame.height);
  for (guint i = 0; i < work->objects->len; i++) {
    const FoveaObject *object = &g_array_index(work->objects, FoveaObject, i);
    fprintf(to, "  %-20s %5.1f %%  at %.0f,%.0f  size %.0fx%.0f\n", object->label, object->confidence * 100.0, object->x0, object->y0,
            object->x1 - object->x0, object->y1 - object->y0);
  }
  FvPlanInfo info = fv_plan_info(work->plan);
  fprintf(to, "preprocess %.1f ms, infer %.1f ms, postprocess %.1f ms on %s (%s, %d thread%s)\n", (double)timing.preprocess_ns / 1e6,
          (double)timing.infer_ns / 1e6, (double)timing.postprocess_ns / 1e6, info.device, info.instructions, info.threads, info.threads == 1 ? "" : "s");
  if (work->job->output != NULL) fprintf(to, "annotated picture: %s\n", work->job->output);
  if (work->job->json != NULL && strcmp(work->job->json, "-") != 0) fprintf(to, "records: %s\n", work->job->json);
}

int fv_detect_picture(const FvDetectJob *job) {
  Work *work = g_new0(Work, 1);
  work->job = job;
  work->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  int result = find(work);
  if (result == FV_EXIT_OK) {
    name_objects(work);
    result = write_record(work);
  }
  if (result == FV_EXIT_OK) result = write_picture(work);
  if (result == FV_EXIT_OK) report(work);
  g_array_unref(work->objects);
  fv_picture_release(&work->picture);
  fv_session_destroy(&work->session);
  fv_plan_destroy(&work->plan);
  fv_model_destroy(&work->model);
  g_free(work);
  return result;
}
