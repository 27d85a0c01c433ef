/* Every head: boxes encoded the way the family does come back; real raw outputs give what the model's authors' decoding gave; NMS and mapping. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "head_cases.h"
#include "vision/nms.h"

static void check_found(const FvDetection *found, int count, gboolean face, gboolean landmarks) {
  g_assert_cmpint(count, ==, 3);
  for (int i = 0; i < 3; i++) {
    const Truth *t = &truths[i];
    const float want[4] = {(t->x0 - 10) / 0.5f, (t->y0 - 20) / 0.8f, (t->x1 - 10) / 0.5f, (t->y1 - 20) / 0.8f};
    const float got[4] = {found[i].x0, found[i].y0, found[i].x1, found[i].y1};
    for (int k = 0; k < 4; k++) g_assert_cmpfloat_with_epsilon(got[k], want[k], 0.02f);
    g_assert_cmpint(found[i].label, ==, face ? 0 : t->label);
    g_assert_cmpfloat_with_epsilon(found[i].score, t->score, 1e-4f);
    g_assert_cmpint(found[i].landmark_count, ==, landmarks ? 5 : 0);
    for (int k = 0; k < found[i].landmark_count; k++) {
      float point[2];
      landmark(t, k, point);
      g_assert_cmpfloat_with_epsilon(found[i].landmarks[k][0], (point[0] - 10) / 0.5f, 0.02f);
      g_assert_cmpfloat_with_epsilon(found[i].landmarks[k][1], (point[1] - 20) / 0.8f, 0.02f);
    }
  }
}

static void test_round_trip(gconstpointer data) {
  gsize i = GPOINTER_TO_SIZE(data);
  for (int odd = 0; odd < 2; odd++) {
    Outputs o = {.odd_strides = odd};
    FvDescription d;
    FvDetection found[16];
    const FvTensor *pointers[MAX_OUTPUTS];
    FvDecodeParams params = {.threshold = 0.5f, .iou_threshold = 0.45f, .map = {0.5f, 0.8f, 10, 20}, .frame_width = 600, .frame_height = 400};
    cases[i].make(&o);
    describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
    FvDetector *detector = detector_for(&d, &o, pointers);
    for (int again = 0; again < 2; again++)
      check_found(found, fv_detector_decode(detector, pointers, &params, found, 16), cases[i].face, cases[i].face && o.count != 6);
    params.threshold = 0.75f;
    g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 16), ==, 2);
    params.threshold = 0.5f;
    g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 1), ==, 1);
    g_assert_cmpfloat_with_epsilon(found[0].score, 0.9f, 1e-4f);
    fv_detector_destroy(&detector);
    fv_description_finish(&d);
    outputs_finish(&o);
  }
}

static float factor_at(const FvScoreFactor *factor, const FvLocationGroup *group, int location, const FvTensor *const *outputs) {
  const FvLocationPart *part = &factor->part;
  const float *at = (const float *)outputs[part->output]->data + fv_location_element(part, group, location);
  float best = at[factor->skip * part->channel_step], peak = at[0], sum = 0;
  for (int c = 0; c < part->channels; c++) {
    float v = at[c * part->channel_step];
    if (c >= factor->skip) best = MAX(best, v);
    peak = MAX(peak, v);
  }
  for (int c = 0; c < part->channels; c++) sum += expf(at[c * part->channel_step] - peak);
  float score = factor->activation == FV_SCORE_SOFTMAX ? expf(best - peak) / sum : factor->activation == FV_SCORE_SIGMOID ? 1 / (1 + expf(-best)) : best;
  return factor->power == 1 ? score : powf(MAX(score, 0), factor->power);
}

/* The locations that a head describes are those its decoder reads: those whose factors reach the threshold give all boxes, and no others are touched. */
static void test_locations(gconstpointer data) {
  gsize i = GPOINTER_TO_SIZE(data);
  for (int odd = 0; odd < 2; odd++) {
    Outputs o = {.odd_strides = odd};
    FvDescription d;
    FvDetection found[16];
    const FvTensor *pointers[MAX_OUTPUTS];
    guint64 chosen[1000] = {0};
    FvDecodeParams params = {.threshold = 0.5f, .iou_threshold = 0.45f, .map = {0.5f, 0.8f, 10, 20}, .frame_width = 600, .frame_height = 400, .chosen = chosen};
    cases[i].make(&o);
    describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
    FvDetector *detector = detector_for(&d, &o, pointers);
    int groups, total = 0;
    const FvLocationGroup *group = fv_detector_locations(detector, &groups);
    if (groups) g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 16), ==, 0);
    for (int g = 0; g < groups; g++, group++) {
      g_assert_cmpint(group->first, ==, total);
      for (int l = 0; l < fv_location_count(group); l++, total++) {
        float score = 1;
        for (int f = 0; f < group->factor_count; f++) score *= factor_at(&group->factors[f], group, l, pointers);
        if (score >= 0.49f) chosen[total / 64] |= G_GUINT64_CONSTANT(1) << total % 64;
      }
    }
    if (groups == 0) params.chosen = NULL;
    check_found(found, fv_detector_decode(detector, pointers, &params, found, 16), cases[i].face, cases[i].face && o.count != 6);
    g_assert_cmpint(groups == 0, ==, strcmp(cases[i].name, "detections") == 0);
    fv_detector_destroy(&detector);
    fv_description_finish(&d);
    outputs_finish(&o);
  }
}

/* A head that gets other outputs than it was described for says what it wants and what there is. */
static void test_wrong_outputs(void) {
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    Outputs o = {0};
    FvDescription d;
    FvDetector *detector = NULL;
    FvError err;
    ADD(&o, "strange", 0, 1, 7, 13, 9);
    const FvTensor *pointers[] = {&o.tensor[0]};
    describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
    g_assert_cmpint(fv_detector_create(&d, o.name, pointers, 1, &detector, &err), ==, FV_ERR_CONFIG);
    g_assert_null(detector);
    g_assert_nonnull(strstr(err.message, "strange f32[1,7,13,9]"));
    g_assert_nonnull(strstr(err.message, fv_family_name(d.family)));
    fv_description_finish(&d);
    outputs_finish(&o);
  }
}

/* Numbers that no network should give must neither crash nor come out as boxes. */
static void test_wild_numbers(void) {
  static const float wild[] = {NAN, INFINITY, -INFINITY, 1e38f, -1e38f};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
    for (gsize w = 0; w < G_N_ELEMENTS(wild); w++) {
      Outputs o = {0};
      FvDescription d;
      FvDetection found[64];
      const FvTensor *pointers[MAX_OUTPUTS];
      cases[i].make(&o);
      for (int k = 0; k < o.count; k++)
        for (int64_t e = 0; o.tensor[k].dtype == FV_DTYPE_F32 && e < fv_tensor_count(&o.tensor[k]); e++)
          if (e % 3 != 1) ((float *)o.tensor[k].data)[e] = wild[w];
      describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
      FvDetector *detector = detector_for(&d, &o, pointers);
      FvDecodeParams params = {.threshold = 0.01f, .iou_threshold = 0.5f, .map = {1, 1, 0, 0}, .frame_width = SIDE, .frame_height = SIDE};
      int count = fv_detector_decode(detector, pointers, &params, found, 64);
      for (int k = 0; k < count; k++) {
        g_assert_true(found[k].x0 >= 0 && found[k].x1 <= SIDE && found[k].y0 >= 0 && found[k].y1 <= SIDE && found[k].x0 < found[k].x1);
        g_assert_true(found[k].score >= 0.01f && found[k].score <= 1);
        g_assert_true(found[k].label >= 0 && found[k].label < 80);
      }
      fv_detector_destroy(&detector);
      fv_description_finish(&d);
      outputs_finish(&o);
    }
}

static void test_named_outputs(void) {
  Outputs o = {0};
  FvDescription d;
  const FvTensor *pointers[MAX_OUTPUTS];
  FvDetection found[8];
  ssd_decoded(&o);
  describe(&d, "family: ssd\nhead: {boxes: xyxy-unit, outputs: [boxes, scores]}", 80);
  FvDetector *detector = detector_for(&d, &o, pointers);
  FvDecodeParams params = {.threshold = 0.5f, .iou_threshold = 0.45f, .map = {1, 1, 0, 0}, .frame_width = SIDE, .frame_height = SIDE};
  g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 8), ==, 3);
  fv_detector_destroy(&detector);
  fv_description_finish(&d);
  FvError err;
  describe(&d, "family: ssd\nhead: {boxes: xyxy-unit, outputs: [boxen, scores]}", 80);
  g_assert_cmpint(fv_detector_create(&d, o.name, pointers, o.count, &detector, &err), ==, FV_ERR_CONFIG);
  fv_description_finish(&d);
  outputs_finish(&o);
}

static void test_classifier(void) {
  Outputs o = {0};
  FvDescription d;
  const FvTensor *pointers[MAX_OUTPUTS];
  FvDetection found[8];
  FvTensor *t = ADD(&o, "logits", -5, 1, 10, 1, 1);
  put3(t, 7, 0, 0, 4);
  put3(t, 3, 0, 0, 3);
  describe(&d, "family: classifier\nhead: {score-activation: softmax}", 10);
  FvDetector *detector = detector_for(&d, &o, pointers);
  FvDecodeParams params = {.threshold = 0.2f, .iou_threshold = 0.1f, .map = {0.5f, 0.5f, -3, 4}, .frame_width = 640, .frame_height = 480};
  g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 8), ==, 2);
  g_assert_cmpint(found[0].label, ==, 7);
  g_assert_cmpint(found[1].label, ==, 3);
  g_assert_cmpfloat_with_epsilon(found[0].score, 1 / (1 + expf(-1) + 8 * expf(-9)), 1e-5f);
  g_assert_true(found[1].x0 == 0 && found[1].y0 == 0 && found[1].x1 == 640 && found[1].y1 == 480);
  fv_detector_destroy(&detector);
  fv_description_finish(&d);
  outputs_finish(&o);
}

/* --- suppression --- */

static void test_suppression(void) {
  FvCandidates set;
  g_assert_cmpint(fv_candidates_init(&set, 100, 3, false, NULL), ==, FV_OK);
  static const FvBox boxes[] = {{0, 0, 10, 10, 0}, {1, 0, 11, 10, 0}, {1, 0, 11, 10, 1}, {0, 0, 10, 6, 0}, {5, 5, 5, 9, 2}, {0, 0, NAN, 9, 2}, {0, 0, 9, 9, 3}};
  static const float scores[] = {0.5f, 0.6f, 0.4f, 0.3f, 0.9f, 0.9f, 0.9f};
  for (gsize i = 0; i < G_N_ELEMENTS(boxes); i++) set.boxes[fv_candidates_add(&set, scores[i])] = boxes[i];
  /* 1 beats 0 (overlap 9/11); 2 is of another label; 3 overlaps 1 by 54/106; 4 to 6 are no boxes. */
  g_assert_cmpint(fv_candidates_suppress(&set, 0.6f, 100), ==, 3);
  g_assert_cmpfloat(set.ranked[set.kept[0]].score, ==, 0.6f);
  g_assert_cmpfloat(set.ranked[set.kept[1]].score, ==, 0.4f);
  g_assert_cmpfloat(set.ranked[set.kept[2]].score, ==, 0.3f);
  fv_candidates_finish(&set);
}

/* More candidates than room: the best stay, and of equals the earlier. */
static void test_top_candidates(void) {
  enum { ROOM = 50, ALL = 3000 };
  FvCandidates set;
  g_assert_cmpint(fv_candidates_init(&set, ROOM, 1, true, NULL), ==, FV_OK);
  for (int round = 0; round < 2; round++) {
    fv_candidates_clear(&set);
    for (int i = 0; i < ALL; i++) {
      int slot = fv_candidates_add(&set, (float)((i * 7919) % 1000) / 1000.0f);
      if (slot >= 0) set.boxes[slot] = (FvBox){(float)i, 0, (float)i + 0.5f, 1, 0};
    }
    g_assert_cmpint(fv_candidates_suppress(&set, 0.5f, ALL), ==, ROOM);
    for (int k = 0; k < ROOM; k++) { /* three of each score, 999 downwards */
      g_assert_cmpfloat(set.ranked[k].score, ==, (float)(999 - k / 3) / 1000.0f);
      if (k % 3) g_assert_cmpint(set.ranked[k].order, >, set.ranked[k - 1].order);
      g_assert_cmpint((int)set.boxes[set.ranked[k].slot].x0, ==, set.ranked[k].order);
    }
  }
  fv_candidates_finish(&set);
}

/* --- real outputs --- */

typedef struct Known {
  float score, box[4];
  char label[40];
} Known;

/* The few fields of ref.json that we need, in the order it has them. */
static int read_known(const char *folder, float *threshold, Known *known, int capacity) {
  char *path = g_build_filename(folder, "ref.json", NULL), *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_free(path);
  const char *at = strstr(text, "\"score_threshold\":");
  g_assert_nonnull(at);
  *threshold = (float)g_ascii_strtod(at + 18, NULL);
  int count = 0;
  while (count < capacity && (at = strstr(at, "\"label\": \""))) {
    Known *k = &known[count++];
    at += 10;
    g_snprintf(k->label, sizeof k->label, "%.*s", (int)strcspn(at, "\""), at);
    at = strstr(at, "\"score\":") + 8;
    k->score = (float)g_ascii_strtod(at, NULL);
    at = strchr(strstr(at, "\"box_xyxy\":"), '[') + 1;
    for (int i = 0; i < 4; i++) {
      char *end;
      k->box[i] = (float)g_ascii_strtod(at, &end);
      at = end + 1;
    }
  }
  g_free(text);
  return count;
}

static const struct {
  const char *folder, *config;
  const char *outputs[6];
  int width, height; /* of the picture */
  int input_width, input_height;
  FvFrameMap map;
} references[] = {
  {"FastestDet", "FastestDet", {"758"}, 640, 425, 352, 352, {0.55f, 352.0f / 425, 0, 0}},
  {"yolo-fastestv2", "yolo-fastestv2", {"845"}, 640, 425, 352, 352, {0.55f, 352.0f / 425, 0, 0}},
  {"nanodet_m_320", "nanodet_m_320",
   {"cls_pred_stride_8", "cls_pred_stride_16", "cls_pred_stride_32", "dis_pred_stride_8", "dis_pred_stride_16", "dis_pred_stride_32"},
   640, 425, 320, 320, {0.5f, 212.0f / 425, 0, 54}},
  {"version-RFB-320", "version-RFB-320", {"scores", "boxes"}, 512, 600, 320, 240, {320.0f / 512, 0.4f, 0, 0}},
  {"version-RFB-320_simplified", "version-RFB-320_simplified", {"scores", "boxes"}, 512, 600, 320, 240, {320.0f / 512, 0.4f, 0, 0}},
  {"yunet_120x160", "face_detection_yunet_120x160", {"loc", "conf", "iou"}, 512, 600, 160, 120, {160.0f / 512, 0.2f, 0, 0}},
};

static void test_reference(gconstpointer data) {
  gsize r = GPOINTER_TO_SIZE(data);
  char *folder = g_build_filename(g_getenv("FOVEA_SHARED_DIR") ? g_getenv("FOVEA_SHARED_DIR") : "", "models", "reference", references[r].folder, NULL);
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_test_skip("no reference outputs: FOVEA_SHARED_DIR is not there");
    g_free(folder);
    return;
  }
  char *path = fv_description_find(NULL, references[r].config, NULL);
  g_assert_nonnull(path);
  FvDescription d = {.preprocess = {.width = references[r].input_width, .height = references[r].input_height}};
  FvError err;
  void *text;
  gsize size;
  g_assert_cmpint(fv_file_read(path, FV_MAX_CONFIG_BYTES, &text, &size, &err), ==, 0);
  if (fv_description_read_yaml(&d, text, size, path, &err) < 0) g_error("%s", err.message);
  free(text);
  free(path);

  Outputs o = {0};
  const FvTensor *pointers[MAX_OUTPUTS];
  for (; o.count < 6 && references[r].outputs[o.count]; o.count++) {
    char *file = g_strdup_printf("%s/out%d.npy", folder, o.count);
    o.name[o.count] = references[r].outputs[o.count];
    if (fv_npy_read(file, &o.tensor[o.count], &err) < 0) g_error("%s", err.message);
    g_free(file);
  }
  FvDetector *detector = detector_for(&d, &o, pointers);
  Known known[64];
  FvDetection found[64];
  FvDecodeParams params = {.iou_threshold = d.iou_threshold, .map = references[r].map, .frame_width = references[r].width, .frame_height = references[r].height};
  int want = read_known(folder, &params.threshold, known, 64), got = fv_detector_decode(detector, pointers, &params, found, 64);
  g_assert_cmpint(got, ==, want);
  for (int i = 0; i < want; i++) {
    char scratch[24];
    const float box[4] = {found[i].x0, found[i].y0, found[i].x1, found[i].y1};
    g_assert_cmpstr(fv_description_label(&d, found[i].label, scratch), ==, known[i].label);
    g_assert_cmpfloat_with_epsilon(found[i].score, known[i].score, 1e-4f); /* the file has four digits */
    for (int k = 0; k < 4; k++) g_assert_cmpfloat_with_epsilon(box[k], known[i].box[k], 0.11f); /* and one */
  }
  fv_detector_destroy(&detector);
  fv_description_finish(&d);
  for (int i = 0; i < o.count; i++) fv_tensor_release(&o.tensor[i]);
  g_free(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    char *path = g_strdup_printf("/heads/boxes come back/%s", cases[i].name);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_round_trip);
    g_free(path);
    path = g_strdup_printf("/heads/locations/%s", cases[i].name);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_locations);
    g_free(path);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(references); i++) {
    char *path = g_strdup_printf("/heads/as the authors decode/%s", references[i].folder);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_reference);
    g_free(path);
  }
  g_test_add_func("/heads/other outputs are refused", test_wrong_outputs);
  g_test_add_func("/heads/wild numbers give no wild boxes", test_wild_numbers);
  g_test_add_func("/heads/outputs by name", test_named_outputs);
  g_test_add_func("/heads/classifier", test_classifier);
  g_test_add_func("/heads/suppression", test_suppression);
  g_test_add_func("/heads/only the best candidates stay", test_top_candidates);
  return g_test_run();
}
