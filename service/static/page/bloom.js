// What the footprint view begins with: examples/bloom.json as it is; a test holds the two together.
export const BLOOM = {
  "name": "BLOOM 176B",
  "training": [
    {
      "name": "training, 384 A100",
      "location": "FR",
      "start": "2022-03-11T00:00:00Z",
      "end": "2022-07-07T00:00:00Z",
      "gpu_hours": 1082990,
      "gpu_count": 384,
      "power_w": 400,
      "source": "Luccioni, Viguier, Ligozat 2022, arXiv 2211.02001, Table 1: TDP as mean power",
      "intensity_g_per_kwh": 57,
      "intensity_source": "the same: France, annual mean"
    }
  ],
  "idle": [
    {
      "name": "infrastructure, 27 kW",
      "location": "FR",
      "start": "2022-03-11T00:00:00Z",
      "end": "2022-07-07T00:00:00Z",
      "hours": 2820.2864583333335,
      "power_w": 27000,
      "source": "the same, section 4.3; hours are 1,082,990 GPU hours / 384 GPUs",
      "intensity_g_per_kwh": 57,
      "intensity_source": "the same: France, annual mean"
    },
    {
      "name": "idle nodes, 64 kW",
      "location": "FR",
      "start": "2022-03-11T00:00:00Z",
      "end": "2022-07-07T00:00:00Z",
      "hours": 2820.2864583333335,
      "power_w": 64000,
      "source": "the same, section 4.3; hours are 1,082,990 GPU hours / 384 GPUs",
      "intensity_g_per_kwh": 57,
      "intensity_source": "the same: France, annual mean"
    }
  ],
  "hardware": [
    {"name": "servers of 8 GPUs", "device": "hpe-gpu-server", "device_hours": 135373.75, "lifetime_years": 6, "utilisation": 0.85},
    {"name": "GPUs", "device": "a100-80gb", "device_hours": 1082990, "lifetime_years": 6, "utilisation": 0.85}
  ],
  "deployment": [
    {
      "name": "serving, 16 A100 at GCP us-central1",
      "location": "gcp:us-central1",
      "start": "2022-09-22T00:00:00Z",
      "end": "2022-10-09T03:40:00Z",
      "energy_kwh": 864.249121,
      "source": "bigscience-workshop/carbon-footprint, bloom_api_carbon.ipynb: CodeCarbon, to the end of the request log",
      "intensity_g_per_kwh": 394,
      "intensity_source": "the same: the provider's annual figure for us-central1 in 2022",
      "requests": 230768
    }
  ],
  "training_type": "pre-training",
  "hardware_used": "384 NVIDIA A100 80GB, HPE Apollo 6500 Gen10 Plus, Jean Zay"
};
