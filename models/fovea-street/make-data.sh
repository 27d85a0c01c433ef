#!/bin/sh
# Makes the folders that training/recipes/street.yaml learns from and is measured on, below build/data.
# Usage: models/fovea-street/make-data.sh MEDIA TEACHER.onnx
# MEDIA holds train/NAME/ (pictures, some with YOLO labels) and clips/; README.md beside this file says which and under what terms. Takes about eight minutes on two cores.
set -eu
[ $# -eq 2 ] && [ -d "$1/train" ] && [ -r "$2" ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
media=$1 teacher=$(realpath "$2")
cd "$(dirname "$0")/../.."
out=build/data
mkdir -p $out
ln -sfn "$teacher" $out/nanodet_m_320.onnx
label() { python3 training/label.py --teacher "$teacher" --classes person,bicycle,car,motorcycle,bus,truck "$@"; }

# Names of labels that upstream gave, in our words; what they leave out the teacher fills in.
renamed() {
  case $1 in
    open_images_vehicles) echo "--rename Car=car,Bus=bus,Motorcycle=motorcycle,Truck=truck,Ambulance=truck" ;;
    carla_synthetic) echo "--rename vehicle=car,bike=bicycle,motobike=motorcycle" ;;
  esac
}

for folder in "$media"/train/*/; do # every fifth picture is kept apart
  name=$(basename "$folder")
  label "$folder" --output $out/train/$name --skip-every 5 $(renamed $name)
  label "$folder" --output $out/held/$name --only-every 5 $(renamed $name)
done
for clip in one-by-one-person-detection.mp4:0.3 parking_lot_scan.mp4:0.2 person-bicycle-car_preview.mp4:0.1 asl_walk.mkv:0.5; do
  name=${clip%:*}
  label "$media/clips/$name" --every ${clip#*:} --output $out/train/clip-${name%.*}
done
python3 training/render.py pictures --count 3000 --seed 11 --output $out/train/rendered
python3 training/render.py pictures --count 200 --seed 12 --output $out/held/rendered
