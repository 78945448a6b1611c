"""The room that runs on the device: bundle, crop, engines, tracker. Needs numpy, OpenCV and one inference library."""
